// Package api holds what both sides of Meilisearch's HTTP contract need: error bodies, the decoding of JSON bodies and
// query parameters with Meilisearch's error texts, index settings, tasks and search queries. The proxy and the
// embedded node share it, so that a text or a default is written once.
//
// The package is pure: bytes and values in, values out. It knows no socket, clock, logger or store. The rules come from
// Meilisearch v1.50.
package api
