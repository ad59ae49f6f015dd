//! The journal on a disk that forgets: crashes at any instant, faults, and what recovery finds then.
mod disk;
mod simulation;
