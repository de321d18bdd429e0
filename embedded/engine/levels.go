package engine

import (
	"github.com/RoaringBitmap/roaring/v2"
)

// matcher finds the documents of a query.
type matcher struct {
	c     *core
	g     *graph
	attrs attrSet
	// cache are documents of nodes, phrases those of phrases.
	cache   map[subset]*roaring.Bitmap
	phrases map[*phrase]*roaring.Bitmap
	// pairs are documents with two words in one attribute; see attributeProximity.
	pairs map[pairKey]*roaring.Bitmap
	// stopped tells whether nobody waits for the search any more; what is found then is
	// thrown away.
	stopped func() bool
}

func (c *core) newMatcher(g *graph, attrs attrSet) *matcher {
	m := &matcher{c: c, g: g, attrs: attrs, cache: map[subset]*roaring.Bitmap{}, phrases: map[*phrase]*roaring.Bitmap{},
		pairs: map[pairKey]*roaring.Bitmap{}, stopped: func() bool { return false }}
	for i := range g.nodes {
		m.resolve(uint8(i))
	}
	if c.cfg.ProximityByAttribute {
		m.askedAlready()
	}
	return m
}

// keepOriginal passes the attributes where a word as it was typed may match,
// keepTolerant those where a word with typos may.
func (m *matcher) keepOriginal(attr uint16) bool { return m.attrs.has(attr) }

func (m *matcher) keepTolerant(attr uint16) bool {
	return m.attrs.has(attr) && !m.c.fields.attrs[attr].exact
}

// resolve finds the documents of a node.
func (m *matcher) resolve(id uint8) {
	n := m.g.nodes[id]
	every := subset{node: id, levels: allLevels}
	n.docs = roaring.New()
	for level := range n.levels {
		n.docs.Or(m.subsetDocs(every, level))
	}
}

// dense collects many small bitmaps, and a few large ones.
type dense struct {
	words []uint64
	large []*roaring.Bitmap
}

// largeSet is from how many documents on a bitmap is joined as it is.
const largeSet = 4096

func newDense(docs int) *dense { return &dense{words: make([]uint64, (docs+63)/64)} }

func (d *dense) or(b *roaring.Bitmap) {
	if b.GetCardinality() >= largeSet {
		d.large = append(d.large, b)
		return
	}
	b.Iterate(func(x uint32) bool {
		d.words[x>>6] |= 1 << (x & 63)
		return true
	})
}

// bitmap is all that was collected; nothing can be added afterwards.
func (d *dense) bitmap() *roaring.Bitmap {
	b := roaring.FromDense(d.words, true)
	for _, l := range d.large {
		b.Or(l)
	}
	return b
}

// subsetDocs are the documents that a node matches with a number of typos.
func (m *matcher) subsetDocs(s subset, level int) *roaring.Bitmap {
	n := m.g.nodes[s.node]
	key := s
	key.levels = 1 << level
	if s.levels>>level&1 == 0 {
		key.levels = 0 // phrases and synonyms alone
	}
	if d, ok := m.cache[key]; ok {
		return d
	}
	acc := newDense(len(m.c.docs))
	keep := m.keepOriginal
	if level > 0 || n.words != nil {
		keep = m.keepTolerant
	}
	terms := n.levels[level].terms
	if key.exact {
		terms = []uint32{n.exact}
		if !n.hasExact || level > 0 {
			terms = nil
		}
	}
	if key.levels != 0 {
		for _, t := range terms {
			for _, a := range m.c.post[t].attrs {
				if keep(a.attr) {
					acc.or(a.docs)
				}
			}
		}
	}
	for _, p := range n.levels[level].phrases {
		acc.or(m.phraseDocs(p))
	}
	out := acc.bitmap()
	m.cache[key] = out
	return out
}

// phraseDocs are the documents with a phrase, looked up once.
func (m *matcher) phraseDocs(p *phrase) *roaring.Bitmap {
	if d, ok := m.phrases[p]; ok {
		return d
	}
	d := m.c.phraseDocs(p, m.attrs)
	m.phrases[p] = d
	return d
}

// wordCount is what the words rule reports when nothing is left out.
func (g *graph) wordCount() int {
	n := 0
	for _, node := range g.nodes[:g.slots] {
		if node.quoted == nil {
			n++
			continue
		}
		for _, w := range node.quoted.words {
			if !w.wild {
				n++
			}
		}
	}
	return n
}

// excluded are the documents the negative words and phrases rule out.
func (m *matcher) excluded() *roaring.Bitmap {
	out := roaring.New()
	for _, t := range m.g.negWords {
		out.Or(m.c.termDocs(t, m.attrs.has))
	}
	for _, p := range m.g.negPhrases {
		out.Or(m.c.phraseDocs(p, m.attrs))
	}
	return out
}
