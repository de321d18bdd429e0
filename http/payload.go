package http

import (
	"errors"
	"io"
	"sync"

	"github.com/miroir-search/miroir/store"
)

// spoolFrom is the size above which a payload of documents goes to the journal
// while it comes in, instead of into memory.
const spoolFrom = 1 << 20

var copyBuffers = sync.Pool{New: func() any { b := make([]byte, 64<<10); return &b }}

// readPayload reads a payload of documents: into memory when it is small (body),
// otherwise into the journal (stored). The limit counts decoded bytes.
func (c *call) readPayload() (body []byte, stored store.Ref, err error) {
	r := c.c.Request()
	if _, encoded := c.encoding(); !encoded && r.ContentLength >= 0 && r.ContentLength <= spoolFrom {
		body, err = c.readBody()
		return body, store.Ref{}, err
	}
	in, source, err := c.decoded()
	if err != nil || in == nil {
		return nil, store.Ref{}, err
	}
	head, err := c.grow(io.LimitReader(in, spoolFrom+1), min(spoolFrom+1, c.s.opts.MaxBody), source)
	if err != nil {
		return nil, store.Ref{}, err
	}
	if len(head) <= spoolFrom {
		c.body = head
		return head, store.Ref{}, nil
	}
	stored, err = c.spool(head, in, source)
	return nil, stored, err
}

// spool writes head, and what is left of in, to the journal.
func (c *call) spool(head []byte, in io.Reader, source *countingReader) (store.Ref, error) {
	out := c.s.opts.Door.NewPayload()
	defer out.Abort() // does nothing once it is finished
	total := int64(len(head))
	if err := c.keep(out, head); err != nil {
		return store.Ref{}, err
	}
	buf, _ := copyBuffers.Get().(*[]byte)
	defer copyBuffers.Put(buf)
	for {
		n, err := in.Read(*buf)
		if total += int64(n); total > c.s.opts.MaxBody {
			return store.Ref{}, errTooLarge
		}
		if err := c.hold(min((total|0xfffff)+1, c.s.opts.MaxBody)); err != nil {
			return store.Ref{}, err
		}
		if err := c.keep(out, (*buf)[:n]); err != nil {
			return store.Ref{}, err
		}
		switch {
		case errors.Is(err, io.EOF):
			return out.Finish()
		case err != nil && source != nil:
			return store.Ref{}, encodedFailure(err, source)
		case err != nil:
			return store.Ref{}, readFailure(err)
		}
	}
}

// keep writes a piece of a body to the journal.
func (c *call) keep(out store.Stream, p []byte) error {
	if c.sum != nil {
		_, _ = c.sum.Write(p) // a hash takes everything
	}
	_, err := out.Write(p)
	return err
}
