// Package payload reads the body of a documents request (JSON, NDJSON or CSV), checks all of it, finds every document's
// primary key and cuts the documents into bodies for nodes.
//
// Bytes are scanned and spliced, never decoded into maps: a JSON or NDJSON body stays where it is and a Batch keeps 16
// bytes per document beside it; CSV rows are written once, as JSON objects. Everything that could make a node refuse a
// document for its form or its id is found here, because a write that fails on one shard only cannot be taken back.
// Errors carry Meilisearch's code and text.
package payload

import "math"

// Format is the kind of body, as the request's content type names it.
type Format uint8

// The formats that documents may arrive in.
const (
	JSON   Format = iota // application/json: an array of objects, or one object
	NDJSON               // application/x-ndjson: objects one after the other
	CSV                  // text/csv: a header and rows
)

// String returns the name of the format inside Meilisearch's messages.
func (f Format) String() string {
	switch f {
	case JSON:
		return "json"
	case NDJSON:
		return "ndjson"
	default:
		return "csv"
	}
}

// Options says how to read a body. The zero value works.
type Options struct {
	// Delimiter separates the fields of CSV; zero means a comma.
	Delimiter byte
	// PrimaryKey is the primary key to expect, if known. It is only a hint that lets Parse find the ids while it
	// validates; without it Parse guesses from the first document. ResolveIDs is right either way, only slower if the
	// guess was wrong.
	PrimaryKey string
}

// ReservedPrefix begins the field names that belong to the proxy. Documents of clients must not use it.
const ReservedPrefix = "_miroir_"

// maxPayload keeps every offset, those of rewritten documents included, within 32 bits.
const maxPayload = math.MaxInt32

// Batch is a validated documents body. It holds on to the data given to Parse, which must not change. Methods that only
// read (Len, Doc, ID, NewBody, Chunk) may be called from several goroutines once ResolveIDs has returned.
type Batch struct {
	data   []byte // the body, or the JSON made from CSV
	arena  []byte // what could not be pointed to in data: unescaped ids, rewritten documents
	docs   []entry
	format Format

	special bool // some document has a field of special meaning
	spooled bool // the documents are not in memory but in src; data shows them, or the body, for a while only

	src    Source
	seen   func(upTo int) // while it does
	seenTo int

	pk       string // the primary key that the first resolved documents are resolved for
	resolved int
	idErr    error // what document number resolved is wrong with, once known
}

// entry locates one document and its id.
type entry struct {
	start, end uint32
	id         uint32
	idLen      uint16
	flags      uint8
}

const (
	docInArena = 1 << iota
	idInArena
	docEmpty // has no members; set where the document is not in memory
)

// Parse checks the whole body and locates its documents. Errors are *Error (malformed_payload, missing_payload,
// payload_too_large above 2 GiB, or internal where a node answers a non-object document with 500) or
// *ReservedFieldError. A malformed body is reported as such even if an earlier document has a reserved field.
//
// Two known quirks of Meilisearch are kept: what follows the closing bracket of a JSON array is not looked at, and of
// duplicate members the last one counts. Stricter than a node at this point, though not in the end: lone surrogates,
// numbers beyond a float and more than 127 levels are refused here, where a node would take the document and then fail
// its task with an internal error.
func Parse(data []byte, f Format, o Options) (*Batch, error) {
	if len(data) == 0 {
		return nil, missingPayload(f)
	}
	if len(data) > maxPayload {
		return nil, payloadTooLarge()
	}
	b := &Batch{data: data, format: f}
	if f == CSV {
		if err := b.parseCSV(o, nil); err != nil {
			return nil, err
		}
		return b, nil
	}
	p := parser{b: b, data: data}
	p.expect(o.PrimaryKey)
	if !p.all() {
		return nil, explain(data, f)
	}
	if p.reserved != nil {
		return nil, p.reserved
	}
	return b, nil
}

// Len returns the number of documents.
func (b *Batch) Len() int { return len(b.docs) }

// Special reports whether some document has a field _geo or _vectors, which settings
// give a meaning.
func (b *Batch) Special() bool { return b.special }

// Format returns the format the batch was read from.
func (b *Batch) Format() Format { return b.format }

// Doc returns the text of document i, 0 <= i < Len, a JSON object without white space around it. It is part of the batch
// and must not be changed. A batch made by ParseSource reads the document, and returns nil if the disk fails.
func (b *Batch) Doc(i int) []byte {
	e := &b.docs[i]
	if e.flags&docInArena != 0 {
		return b.arena[e.start:e.end:e.end]
	}
	if b.data == nil && b.spooled {
		return b.read(e.start, e.end)
	}
	return b.data[e.start:e.end:e.end]
}

// ID returns the stringified id of document i, without quotes and with escapes resolved, so that 1 and "1" are equal.
// It is part of the batch. nil before ResolveIDs has succeeded.
func (b *Batch) ID(i int) []byte {
	e := &b.docs[i]
	if e.idLen == 0 {
		return nil
	}
	end := e.id + uint32(e.idLen)
	if e.flags&idInArena != 0 {
		return b.arena[e.id:end:end]
	}
	return b.data[e.id:end:end]
}
