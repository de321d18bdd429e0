package engine

import (
	"slices"
	"sync"
)

// column are the places of some words, document after document and side by side, so
// that common words can be compared in many documents without visiting each of them.
// Columns are made when a search needs them and kept until the index changes.
type column struct {
	docs []uint32 // in order
	ends []uint32 // of the places of each document
	// places are attribute and position in one number, in order within a document.
	places []uint32
}

const (
	// columnDocs is how many documents a search has to look at before it makes
	// columns. For fewer it visits the documents.
	columnDocs = 1024
	// columnShare is up to how many documents a column may cover for each that
	// is looked at.
	columnShare = 8
	// maxColumnBytes is what all columns of an index take at most.
	maxColumnBytes = 64 << 20
)

// columnKey names the words of a column: a single one, or those that match a node.
type columnKey struct {
	term   uint32
	text   string
	prefix bool
	typos  int
	levels uint8
	typed  bool // without words that only begin like the node
	exact  bool // the word as it was typed alone
}

// columns are the columns made since the last change, and what was found in them.
type columns struct {
	mu    sync.Mutex
	known map[columnKey]*column
	bytes int
	near  map[nearKey]*distances
	// least is columnDocs. Tests change it to compare the two ways.
	least int
}

func (l *columns) get(key columnKey) *column {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.known[key]
}

func (l *columns) put(key columnKey, c *column) {
	size := 4 * (len(c.docs) + len(c.ends) + len(c.places))
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.bytes+size > maxColumnBytes || l.known == nil {
		l.known, l.bytes = map[columnKey]*column{}, 0
	}
	if l.known[key] == nil {
		l.known[key] = c
		l.bytes += size
	}
}

// reset forgets all columns. No search may be under way.
func (l *columns) reset() { l.known, l.bytes, l.near = nil, 0, nil }

// column returns the column of some words if there is one or it is worth making it:
// looked is how many documents the caller looks at.
func (c *core) column(key columnKey, terms []uint32, looked int) *column {
	if looked < c.columns.least {
		return nil
	}
	if col := c.columns.get(key); col != nil {
		return col
	}
	docs := c.termsDocs(terms)
	if docs.GetCardinality() > uint64(columnShare*looked) {
		return nil
	}
	col := c.makeColumn(docs.ToArray(), terms)
	c.columns.put(key, col)
	return col
}

// termColumn is the column of one word.
func (c *core) termColumn(term uint32, looked int) *column {
	return c.column(columnKey{term: term}, []uint32{term}, looked)
}

func everywhere(uint16) bool { return true }

// makeColumn visits documents for the places of words.
func (c *core) makeColumn(docs, terms []uint32) *column {
	var table []bool
	if len(terms) > fewTerms {
		table = make([]bool, len(c.lex.words))
		for _, t := range terms {
			table[t] = true
		}
	}
	parts := make([]column, maxWorkers())
	inParts(len(docs), len(parts), func(w, from, to int) {
		for _, doc := range docs[from:to] {
			parts[w].add(doc, c.docs[doc], terms, table)
		}
	})
	out := &column{}
	for i := range parts {
		p := &parts[i]
		for _, end := range p.ends {
			out.ends = append(out.ends, end+uint32(len(out.places)))
		}
		out.docs, out.places = append(out.docs, p.docs...), append(out.places, p.places...)
	}
	return out
}

// add appends a document; table holds the words when they are many.
func (c *column) add(doc uint32, d *document, terms []uint32, table []bool) {
	from := len(c.places)
	if table != nil {
		for _, o := range d.occ {
			if table[o.term] {
				c.places = append(c.places, uint32(o.attr)<<16|uint32(o.pos))
			}
		}
	} else {
		for _, t := range terms {
			for _, o := range d.of(t) {
				c.places = append(c.places, uint32(o.attr)<<16|uint32(o.pos))
			}
		}
	}
	if len(terms) > 1 {
		slices.Sort(c.places[from:])
	}
	c.docs, c.ends = append(c.docs, doc), append(c.ends, uint32(len(c.places)))
}

// cursor reads the places of documents that are asked for in order.
type cursor struct {
	c  *column
	at int
}

// places of a document, nil when it has none.
func (r *cursor) places(doc uint32) []uint32 {
	docs := r.c.docs
	if r.at < len(docs) && docs[r.at] < doc {
		step := 1
		for r.at+step < len(docs) && docs[r.at+step] < doc {
			r.at += step
			step *= 2
		}
		n, _ := slices.BinarySearch(docs[r.at:min(r.at+step+1, len(docs))], doc)
		r.at += n
	}
	if r.at >= len(docs) || docs[r.at] != doc {
		return nil
	}
	from := uint32(0)
	if r.at > 0 {
		from = r.c.ends[r.at-1]
	}
	return r.c.places[from:r.c.ends[r.at]]
}

// sameAttribute tells whether two places are in one attribute.
func sameAttribute(a, b uint32) bool { return (a^b)>>16 == 0 }

// ahead is the least distance from a place in left to a later one in right, at most
// limit.
func ahead(left, right []uint32, limit uint32) uint32 {
	i := 0
	for _, b := range right {
		for i < len(left) && left[i] < b {
			i++
		}
		if i > 0 && sameAttribute(left[i-1], b) && b-left[i-1] < limit {
			if limit = b - left[i-1]; limit == 1 {
				return limit
			}
		}
	}
	return limit
}
