//! Makes sure that the folder of the built element exists, so that a build without Node still
//! works; `/chatkit.js` then says how to build it.

use std::{fs, path::Path};

fn main() {
    let dist = Path::new("../../web/dist");
    println!("cargo::rerun-if-changed={}", dist.display());
    if !dist.exists()
        && let Err(error) = fs::create_dir_all(dist)
    {
        println!("cargo::warning=cannot make {}: {error}", dist.display());
    }
}
