package actors

import (
	"fmt"

	"github.com/miroir-search/miroir/messages"
	"github.com/miroir-search/miroir/payload"
	"github.com/miroir-search/miroir/store"
)

// Large payloads are in the journal before they are looked at, and never in memory
// as a whole: what stays there of a document is its place, its id and its shard.

// spooledFrom is the size from which a payload is read from the journal piece by
// piece. Smaller ones are read at once.
const spooledFrom = 1 << 20

// maxParsing bounds how many large payloads are looked at at the same time.
const maxParsing = 2

// NewPayload takes a payload of documents piece by piece. Finish says where it is,
// for messages.AddDocuments. A piece that the journal has no room for is refused with
// an *api.Error.
func (c *Cluster) NewPayload() store.Stream { return &roomyStream{c.store.Journal().Stream(), c} }

// roomyStream sees to it that a payload ends where the room of the journal does.
type roomyStream struct {
	store.Stream
	c *Cluster
}

// Write implements store.Stream.
func (s *roomyStream) Write(p []byte) (int, error) {
	if full := s.c.journalRoom(len(p)); full != nil {
		return 0, full
	}
	return s.Stream.Write(p) //nolint:wrapcheck // the store's own
}

// discardPayload lets go of the payload of a write that was not begun.
func (c *Cluster) discardPayload(msg any) {
	if m, ok := msg.(*messages.AddDocuments); ok && !m.Stored.IsZero() {
		c.store.Journal().Discard(m.Stored)
	}
}

// parse checks the payload of a write. A large one of CSV is in the journal as
// NDJSON afterwards.
func (c *Cluster) parse(w *write, o payload.Options) (*payload.Batch, error) {
	format := formatOf(w.p.Format)
	if !w.stored {
		return payload.Parse(w.body, format, o)
	}
	c.parsing <- struct{}{}
	defer func() { <-c.parsing }()
	record := c.store.Journal().Open(w.payload)
	if format != payload.CSV {
		return payload.ParseSource(record, format, o)
	}
	out := c.store.Journal().Stream()
	defer out.Abort() // does nothing once it is finished
	b, err := payload.ConvertCSV(record, o, out)
	if err != nil {
		return nil, err
	}
	converted, err := out.Finish()
	if err != nil {
		return nil, err
	}
	c.store.Journal().Discard(w.payload)
	b.Use(c.store.Journal().Open(converted))
	w.payload, w.p.Format, w.p.Delimiter = converted, payload.NDJSON.String(), 0
	return b, nil
}

// loadLarge reads the documents of an entry whose payload is large.
func (c *Cluster) loadLarge(e *entry) (*documents, error) {
	record := c.store.Journal().Open(e.row.Payload)
	if err := record.Verify(); err != nil {
		return nil, fmt.Errorf("read the payload of entry %d: %w", e.row.LSN, err)
	}
	batch, err := payload.ParseSource(record, formatOf(e.p.Format), payload.Options{PrimaryKey: e.p.PrimaryKey})
	if err == nil {
		err = batch.ResolveIDs(e.p.PrimaryKey)
	}
	if err != nil {
		return nil, fmt.Errorf("read the payload of entry %d: %w", e.row.LSN, err)
	}
	d, _ := newDocuments(batch, e.table.Shards())
	return d, c.loadSeqs(e, d)
}
