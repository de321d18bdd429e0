// Package auth knows API keys and tenant tokens as Meilisearch v1.50 has them:
// what they are, how they are read, and what a token allows. It does no I/O.
package auth
