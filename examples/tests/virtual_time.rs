//! Runs the test that is inside the example, which Cargo by itself only builds. (With `test = true` on the example Cargo
//! would run that test, and then not build the program.)

#[path = "../examples/virtual_time.rs"]
#[allow(dead_code, reason = "its `main` is for the program")]
mod virtual_time;
