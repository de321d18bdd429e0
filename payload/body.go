package payload

import (
	"errors"
	"io"
	"sync"
)

// Body streams some documents of a batch as NDJSON, each with injected members spliced in before its closing brace and
// followed by a line feed. Its length is known before it is read, and it can be read again after Reset. It holds one
// small buffer; documents are copied straight from the batch. One Body is for one request at a time.
type Body struct {
	b         *Batch
	docs      []int32
	injectLen int
	inject    func(dst []byte, doc int) []byte
	length    int64

	win    window // where the documents are not in memory
	at, to int64  // what of the current document is still to come from there

	next int    // position in docs of the next document
	head []byte // part of the current document not yet read, without its closing brace
	tail []byte // what follows it
	buf  []byte // memory of tail
}

// NewBody makes the body that carries the given documents in the given order. inject appends the members to add to
// document doc, without commas around them, for instance `"_miroir_shard":"..","_miroir_seq":".."`; it must append
// exactly injectLen bytes, every time the same for the same document. A nil inject (with injectLen 0) adds nothing.
// docs is kept and must not change.
func (b *Batch) NewBody(docs []int32, injectLen int, inject func(dst []byte, doc int) []byte) *Body {
	if inject == nil {
		injectLen = 0
	}
	body := &Body{b: b, win: window{src: b.src}, docs: docs, injectLen: injectLen, inject: inject}
	for _, d := range docs {
		body.length += b.sentLen(int(d), injectLen)
	}
	return body
}

// sentLen is the number of bytes document i takes in a body.
func (b *Batch) sentLen(i, injectLen int) int64 {
	e := &b.docs[i]
	n := int64(e.end-e.start) + 1
	if injectLen > 0 {
		n += int64(injectLen)
		if !b.empty(i) {
			n++
		}
	}
	return n
}

// empty reports whether document i has no members.
func (b *Batch) empty(i int) bool {
	e := &b.docs[i]
	if b.spooled && e.flags&docInArena == 0 {
		return e.flags&docEmpty != 0
	}
	return isEmpty(b.Doc(i))
}

// Len returns the length of the whole body in bytes.
func (r *Body) Len() int64 { return r.length }

// Reset makes the body start again from its first byte.
func (r *Body) Reset() { r.next, r.head, r.tail, r.at, r.to = 0, nil, nil, 0, 0 }

// advance makes the next document the current one; false behind the last.
func (r *Body) advance() bool {
	if r.next >= len(r.docs) {
		return false
	}
	i := int(r.docs[r.next])
	r.next++
	e := &r.b.docs[i]
	if r.b.spooled && e.flags&docInArena == 0 {
		r.at, r.to = int64(e.start), int64(e.end)-1
	} else {
		doc := r.b.Doc(i)
		r.head = doc[:len(doc)-1] // documents end with their brace
	}
	r.buf = r.buf[:0]
	if r.inject != nil {
		if !r.b.empty(i) {
			r.buf = append(r.buf, ',')
		}
		r.buf = r.inject(r.buf, i)
	}
	r.buf = append(r.buf, '}', '\n')
	r.tail = r.buf
	return true
}

// Read implements io.Reader. It fails with io.EOF only, unless the documents are read from a source.
func (r *Body) Read(p []byte) (n int, err error) {
	for n < len(p) {
		if len(r.head) > 0 {
			k := copy(p[n:], r.head)
			r.head = r.head[k:]
			n += k
			continue
		}
		if r.at < r.to {
			if r.head, err = r.win.at(r.at, r.to); err != nil {
				return n, err
			}
			r.at += int64(len(r.head))
			continue
		}
		if len(r.tail) > 0 {
			k := copy(p[n:], r.tail)
			r.tail = r.tail[k:]
			n += k
			continue
		}
		if !r.advance() {
			break
		}
	}
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

const writeSize = 64 << 10

var writeBuffers = sync.Pool{New: func() any {
	b := make([]byte, writeSize)
	return &b
}}

// WriteTo implements io.WriterTo. Large documents are handed to w without being copied. The error is w's.
func (r *Body) WriteTo(w io.Writer) (n int64, err error) {
	buf, _ := writeBuffers.Get().(*[]byte)
	defer writeBuffers.Put(buf)
	for {
		k, err := r.Read(*buf)
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
		k, err = w.Write((*buf)[:k])
		n += int64(k)
		if err != nil {
			return n, err
		}
		for len(r.head) >= writeSize {
			k, err = w.Write(r.head)
			n += int64(k)
			if err != nil {
				return n, err
			}
			r.head = nil
		}
	}
}

// Chunk cuts docs into parts whose bodies are at most maxBytes long, in order; a document that is longer alone gets a
// part of its own. maxBytes <= 0 means no limit. The parts are sub-slices of docs; no documents, no parts.
func (b *Batch) Chunk(docs []int32, injectLen int, maxBytes int64) [][]int32 {
	var parts [][]int32
	from := 0
	var size int64
	for i, d := range docs {
		n := b.sentLen(int(d), injectLen)
		if i > from && maxBytes > 0 && size+n > maxBytes {
			parts = append(parts, docs[from:i:i])
			from, size = i, 0
		}
		size += n
	}
	if from < len(docs) {
		parts = append(parts, docs[from:len(docs):len(docs)])
	}
	return parts
}
