// Package merge joins the answers of several Meilisearch nodes into the bytes that one node holding all
// the documents would have sent. It is pure: bytes in, bytes out, no clock, no network, no goroutine.
//
// A leg is the complete body of one node's answer. Legs hold disjoint sets of documents, so totals and
// facet counts simply add. Hits are copied byte for byte (number text, key order and spelling of strings
// are the node's) with only the members removed that the client must not see.
//
// Order is decided by the ranking score details, rule by rule, never by the single rounded score; then by
// the insertion number that every stored document carries (MemberSeq); then, where that is missing, by
// the order of the legs. With insertion numbers present, equal inputs give equal bytes in whatever order
// the legs are handed in.
//
// All functions are safe for concurrent use. They append to dst and return the extended slice, as the
// append functions of the standard library do; on error they return dst unchanged in length.
package merge

import "fmt"

// Names of document members that belong to the proxy.
const (
	// ReservedPrefix begins the name of every member that no client may ever see.
	ReservedPrefix = "_miroir_"
	// MemberSeq holds the insertion number: a string of fixed width whose byte order is number order.
	MemberSeq = "_miroir_seq"
	// MemberShard holds the encoded shard of a document.
	MemberShard = "_miroir_shard"
)

// LegError says which leg could not be understood. Errors of legs are node faults, never the client's.
type LegError struct {
	// Leg is the position in the slice of legs that was handed in, from 0.
	Leg int
	// Err says what was wrong with it.
	Err error
}

// Error implements error.
func (e *LegError) Error() string { return fmt.Sprintf("merge leg %d: %v", e.Leg, e.Err) }

// Unwrap gives access to the cause.
func (e *LegError) Unwrap() error { return e.Err }
