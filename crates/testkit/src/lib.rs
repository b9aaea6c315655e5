//! Fixtures, crash runner and hosts for tests.
