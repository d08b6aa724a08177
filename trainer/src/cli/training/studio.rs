//! `edgegen play --train`: the playground's page with a training beside it, from the first step to a board.
//!
//! The page is served on localhost under a token that nobody can guess. Training, export and flashing are commands of
//! this program that run as processes of their own, and what there is to see lies in the run folder; so the studio
//! keeps nothing, and cannot disturb what it shows.

mod child;
mod job;
mod routes;
mod training;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use edgegen_sim::playground::{BOARD, Playground, Studio};
use edgegen_sim::{boards, serve};

use crate::cli::play::{self, Args};
use crate::cli::{Console, Ending, interrupt, quoted};
use job::Jobs;
use routes::Routes;
use training::Training;

/// Random bytes of the token.
const TOKEN: usize = 16;
/// Between looks at whether the server shall end.
const LOOK: Duration = Duration::from_millis(50);

/// Serves the studio of a recipe, a folder of pictures or a run until Ctrl-C; then the training saves.
pub fn run(source: &Path, args: &Args, console: Console) -> Result<Ending> {
    let training = Arc::new(Training::new(source, args)?);
    let has_begun = training.has_begun()?;
    let board = boards::find(args.board.as_deref().unwrap_or("pico"))?.name;
    ensure!(board != BOARD, "expected a board that can be flashed, found {board}: choose another --board");
    let boards = play::with_chips()?;
    let to_flash: Vec<_> = boards::all()?.into_iter().filter(|board| board.name != BOARD).collect();
    let run = training.run().to_owned();
    let name =
        run.file_name().with_context(|| format!("expected a run folder with a name, found {}", run.display()))?;
    let name = name.to_string_lossy().into_owned();

    console.say("building the page's program");
    let playground = Playground::studio(&Studio { name: &name, board: &board, boards: &to_flash })?;
    let listener = play::listen(args.port)?;
    let mut token = [0; TOKEN];
    getrandom::fill(&mut token).context("cannot make a token: the system has no random numbers")?;
    let token: String = token.iter().map(|byte| format!("{byte:02x}")).collect();
    let address = format!("http://{}/{token}/", listener.local_addr()?);
    let jobs = Arc::<Jobs>::default();
    let files = serve::files(playground.files().clone());
    let routes = Routes { token, files, training: Arc::clone(&training), jobs, boards, name };
    let stop = interrupt::stop_flag();
    if !has_begun {
        training.resume()?;
    }
    let server = thread::spawn(move || serve::serve(&listener, move |request| routes.respond(request)));
    console.show(&serde_json::json!({ "address": address, "run": run }), || address.clone())?;
    play::show(&address, args, console);

    while !stop.load(Ordering::Relaxed) {
        if server.is_finished() {
            training.settle();
            bail!("cannot go on serving; the training is saved in {}", run.display());
        }
        thread::sleep(LOOK);
    }
    if training.settle() && training.has_begun()? {
        console.say(&format!("the training is saved: `edgegen play --train {}` goes on with it", quoted(&run)));
    }
    Ok(Ending::Interrupted)
}
