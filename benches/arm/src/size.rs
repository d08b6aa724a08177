//! placeholder
/// x
pub fn print() -> anyhow::Result<()> {
    Ok(())
}
