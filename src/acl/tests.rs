//! Rules, descriptions and files, without a server.
