// Package embedding is a program of somebody else's: a module of its own that
// imports Miroir. Its tests see only what such a program can see.
package embedding
