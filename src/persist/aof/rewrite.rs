//! A value as commands.
