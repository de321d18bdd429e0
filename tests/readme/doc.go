// Package readme keeps README.md honest: its test runs the commands that the
// file shows, against a cluster as `make run` starts it, and compares the answers.
package readme
