//! Tests of the keyspace.
