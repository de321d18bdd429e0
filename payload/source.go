package payload

import (
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"sync"

	"github.com/miroir-search/miroir/rawjson"
)

// Source is a body that is not in memory. It is safe for concurrent use.
type Source interface {
	io.ReaderAt
	Size() int64
	// Map shows the whole body as memory until release is called. seen says that
	// the bytes before upTo are not needed for now.
	Map() (data []byte, seen func(upTo int), release func(), err error)
}

// seenStep is after how many bytes a mapped body is told how far it was read.
const seenStep = 4 << 20

// ParseSource is Parse for a JSON or NDJSON body that is not in memory, nor ever will be as a whole: the batch keeps the
// places of the documents and their ids. It reads the source again when documents are asked for.
func ParseSource(src Source, f Format, o Options) (*Batch, error) {
	if src.Size() > maxPayload {
		return nil, payloadTooLarge()
	}
	b := &Batch{src: src, format: f, spooled: true}
	p := parser{b: b}
	p.expect(o.PrimaryKey)
	ok := false
	err := b.mapped(func() {
		p.data = b.data
		ok = p.all()
	})
	switch {
	case err != nil:
		return nil, err
	case !ok:
		return nil, b.explainMapped()
	case p.reserved != nil:
		return nil, p.reserved
	}
	return b, nil
}

// ConvertCSV is Parse for a CSV body that is not in memory. It writes the documents to out as NDJSON; where that can be
// read must be said with Use before documents are asked for. The error may be that of out.
func ConvertCSV(src Source, o Options, out io.Writer) (*Batch, error) {
	if src.Size() > maxPayload {
		return nil, payloadTooLarge()
	}
	b := &Batch{src: src, format: CSV, spooled: true}
	var bad error
	if err := b.mapped(func() { bad = b.parseCSV(o, out) }); err != nil {
		return nil, err
	}
	if bad != nil {
		return nil, bad
	}
	b.format, b.src = NDJSON, nil
	return b, nil
}

// Spooled reports whether the documents are not in memory.
func (b *Batch) Spooled() bool { return b.spooled }

// Use says where the documents that ConvertCSV wrote can be read.
func (b *Batch) Use(src Source) { b.src = src }

// explaining lets one body at a time be walked without saying how far.
var explaining sync.Mutex

func (b *Batch) explainMapped() (why error) {
	explaining.Lock()
	defer explaining.Unlock()
	if err := b.mapped(func() { why = explain(b.data, b.format) }); err != nil {
		return err
	}
	return why
}

// mapped runs f while data shows the source. Faults of the disk become errors.
func (b *Batch) mapped(f func()) (err error) {
	data, seen, release, err := b.src.Map()
	if err != nil {
		return fmt.Errorf("read the payload: %w", err)
	}
	b.data, b.seen, b.seenTo = data, seen, 0
	defer func() {
		b.data, b.seen = nil, nil
		release()
	}()
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		var fault interface{ Addr() uintptr }
		if r := recover(); r != nil {
			if e, is := r.(error); !is || !errors.As(e, &fault) {
				panic(r)
			}
			err = fmt.Errorf("read the payload: the disk failed: %v", r)
		}
	}()
	f()
	return nil
}

// progress notes that what lies before at was read.
func (b *Batch) progress(at int) {
	if b.seen != nil && at-b.seenTo >= seenStep {
		b.seenTo = at
		b.seen(at)
	}
}

// read returns the bytes of the source from start to end; nil when the disk fails.
func (b *Batch) read(start, end uint32) []byte {
	p := make([]byte, end-start)
	if n, err := b.src.ReadAt(p, int64(start)); n < len(p) {
		_ = err // whoever asks for the document finds none
		return nil
	}
	return p
}

// window is a stretch of a source that is read ahead.
type window struct {
	src  Source
	buf  []byte
	from int64 // where buf begins in the source
}

const windowSize = 128 << 10

// at returns bytes of the source beginning at start, at most up to end and at least one.
func (w *window) at(start, end int64) ([]byte, error) {
	if start < w.from || start >= w.from+int64(len(w.buf)) {
		if w.buf == nil {
			w.buf = make([]byte, 0, min(windowSize, w.src.Size()))
		}
		w.from, w.buf = start, w.buf[:cap(w.buf)]
		n, err := w.src.ReadAt(w.buf, start)
		w.buf = w.buf[:n]
		if n == 0 {
			if err == nil || errors.Is(err, io.EOF) {
				err = io.ErrUnexpectedEOF
			}
			return nil, fmt.Errorf("read the payload: %w", err)
		}
	}
	got := w.buf[start-w.from:]
	if int64(len(got)) > end-start {
		got = got[:end-start]
	}
	return got, nil
}

// isEmpty reports whether a document has no members.
func isEmpty(doc []byte) bool {
	_, empty := rawjson.ClosingBrace(doc)
	return empty
}
