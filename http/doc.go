// Package http is the outside of Miroir: Meilisearch's HTTP API over a Door.
//
// Handlers decode, ask the door and encode; they decide nothing about shards,
// nodes or quorum. Bodies travel as bytes, documents and hits are never decoded
// into maps here. Importers call the package miroirhttp.
package http
