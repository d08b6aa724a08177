//! `edgegen data check|fetch|list`.

use anyhow::Result;
use clap::Subcommand;

use crate::cli::{Console, Ending, check, table};
use crate::data::{self, FetchOptions};

#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Say what `train` would read: images, classes, sizes, what is left out, what is odd
    Check(check::Args),
    /// Fetch a data set into the cache and check it
    Fetch {
        /// Name of the set, see `edgegen data list`
        name: String,
        /// Take the files from this folder instead of from the network
        #[arg(long, value_name = "FOLDER")]
        from: Option<std::path::PathBuf>,
    },
    /// List the data sets that have a name
    List,
}

pub fn run(args: &Args, console: Console) -> Result<Ending> {
    match &args.command {
        Command::Check(args) => {
            let rate = data::usual_sounds(args.data()).map(|(rate, _)| rate);
            check::run(args, rate, |config, split| data::look(config, split, &|_, _| true), console)
        }
        Command::Fetch { name, from } => {
            let options = FetchOptions {
                from: from.clone(),
                report: Box::new(move |line| console.say(line)),
                ..FetchOptions::default()
            };
            let folder = data::fetch(name, &options)?;
            console.show(&serde_json::json!({ "name": name, "folder": folder }), || folder.display().to_string())
        }
        Command::List => {
            let sets = data::list();
            console.show(&sets, || {
                let rows = sets.iter().map(|set| {
                    let [train, test] = set.count.map(|count| count.to_string());
                    let [h, w, c] = set.shape;
                    let present = if set.present { "yes" } else { "no" };
                    let images = if set.count == [0, 0] { "endless".to_owned() } else { format!("{train} + {test}") };
                    [
                        set.name.to_owned(),
                        images,
                        format!("{h}×{w}×{c}"),
                        present.to_owned(),
                        set.licence.to_owned(),
                        set.what.to_owned(),
                    ]
                });
                table(["name", "images (train + test)", "size", "here", "licence", "what"], rows)
            })
        }
    }
}
