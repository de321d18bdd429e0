package engine

import (
	"sort"

	"github.com/RoaringBitmap/roaring/v2"
)

// matchLevel are the documents that match a query when some of its words are
// left out.
type matchLevel struct {
	kept    []int // words of the query that matter
	skipped int   // words left out
	docs    *roaring.Bitmap
	zero    *roaring.Bitmap // those of docs that match without any typo
}

// matcher finds the documents of a query.
type matcher struct {
	c     *core
	g     *graph
	attrs attrSet
}

// keepOriginal passes the attributes where a word as it was typed may match,
// keepTolerant those where a word with typos may.
func (m *matcher) keepOriginal(attr uint16) bool { return m.attrs.has(attr) }

func (m *matcher) keepTolerant(attr uint16) bool {
	return m.attrs.has(attr) && !m.c.fields.attrs[attr].exact
}

// resolve finds the documents of every node.
func (m *matcher) resolve(n *node) {
	if n.docs != nil {
		return
	}
	acc := newDense(len(m.c.docs))
	for i := range n.levels {
		keep := m.keepOriginal
		if i > 0 || n.words != nil {
			keep = m.keepTolerant
		}
		for _, t := range n.levels[i].terms {
			for _, a := range m.c.post[t].attrs {
				if keep(a.attr) {
					acc.or(a.docs)
				}
			}
		}
		for _, p := range n.levels[i].phrases {
			acc.or(m.c.phraseDocs(p, m.attrs))
		}
		if i == 0 {
			n.zeroDocs = acc.bitmap()
		}
	}
	n.docs = n.zeroDocs
	if acc.changed {
		n.docs = acc.bitmap()
	}
}

// dense collects many small bitmaps.
type dense struct {
	words   []uint64
	changed bool
}

func newDense(docs int) *dense { return &dense{words: make([]uint64, (docs+63)/64)} }

func (d *dense) or(b *roaring.Bitmap) {
	d.changed = true
	b.Iterate(func(x uint32) bool {
		d.words[x>>6] |= 1 << (x & 63)
		return true
	})
}

func (d *dense) bitmap() *roaring.Bitmap {
	d.changed = false
	b := roaring.New()
	var run []uint32
	for i, w := range d.words {
		for ; w != 0; w &= w - 1 {
			run = append(run, uint32(i*64+trailingZeros(w)))
		}
		if len(run) > 4096 {
			b.AddMany(run)
			run = run[:0]
		}
	}
	b.AddMany(run)
	return b
}

// levels lists the match levels of a query within universe, best first. Each
// document is in the first level it matches. With MatchAll there is one.
func (m *matcher) levels(strategy MatchingStrategy, universe *roaring.Bitmap) []matchLevel {
	for _, n := range m.g.nodes {
		m.resolve(n)
	}
	kept := make([]int, m.g.slots)
	for i := range kept {
		kept[i] = i
	}
	var removable []int
	if strategy != MatchAll {
		removable = m.removalOrder(strategy)
	}
	var out []matchLevel
	left := universe.Clone()
	skipped := 0
	for {
		docs := m.matching(kept, left, func(n *node) *roaring.Bitmap { return n.docs })
		left.AndNot(docs)
		out = append(out, matchLevel{kept: kept, skipped: skipped, docs: docs})
		if len(removable) == 0 {
			return out
		}
		next := make([]int, 0, len(kept)-1)
		for _, s := range kept {
			if s != removable[0] {
				next = append(next, s)
			}
		}
		kept, removable, skipped = next, removable[1:], skipped+1
	}
}

// zeroTypo are the documents of a level that match it without typos.
func (m *matcher) zeroTypo(l *matchLevel) *roaring.Bitmap {
	if l.zero == nil {
		l.zero = m.matching(l.kept, l.docs, func(n *node) *roaring.Bitmap {
			if n.words != nil {
				return nil // joined words count as typos
			}
			return n.zeroDocs
		})
	}
	return l.zero
}

// ofWeight are the documents with a word of a node, free of typos, in an
// attribute of the given rank.
func (m *matcher) ofWeight(n *node, weight int) *roaring.Bitmap {
	acc := newDense(len(m.c.docs))
	for _, t := range n.levels[0].terms {
		for _, a := range m.c.post[t].attrs {
			if m.keepOriginal(a.attr) && m.c.fields.attrs[a.attr].weight == weight {
				acc.or(a.docs)
			}
		}
	}
	return acc.bitmap()
}

// atStart are the documents some attribute of which begins with a word of a
// node, free of typos.
func (m *matcher) atStart(n *node) *roaring.Bitmap {
	acc := newDense(len(m.c.docs))
	for _, t := range n.levels[0].terms {
		if first := m.c.post[t].first; first != nil {
			acc.or(first)
		}
	}
	return acc.bitmap()
}

// matching follows the graph through the kept words: a document matches when
// nodes it matches cover them all.
func (m *matcher) matching(kept []int, universe *roaring.Bitmap, docs func(*node) *roaring.Bitmap) *roaring.Bitmap {
	if len(kept) == 0 {
		return roaring.New()
	}
	reach := make([]*roaring.Bitmap, len(kept)+1)
	reach[0] = universe
	for i := range kept {
		if reach[i] == nil || reach[i].IsEmpty() {
			continue
		}
		for _, n := range m.g.nodes {
			end := i + n.slots()
			if n.slot != kept[i] || end > len(kept) || kept[end-1] != n.slotEnd-1 {
				continue
			}
			d := docs(n)
			if d == nil {
				continue
			}
			both := roaring.And(reach[i], d)
			if reach[end] == nil {
				reach[end] = both
			} else {
				reach[end].Or(both)
			}
		}
	}
	if out := reach[len(kept)]; out != nil {
		return out
	}
	return roaring.New()
}

// removalOrder lists the words to leave out, first the one to drop first.
// Quoted phrases always stay; without any, the last word left stays.
func (m *matcher) removalOrder(strategy MatchingStrategy) []int {
	var order []int
	quoted := false
	for s := m.g.slots - 1; s >= 0; s-- {
		if m.g.nodes[s].quoted != nil {
			quoted = true
		} else {
			order = append(order, s)
		}
	}
	if strategy == MatchFrequency {
		count := make([]uint64, m.g.slots)
		for s := range count {
			docs := roaring.New()
			for _, n := range m.g.nodes {
				if n.slot <= s && s < n.slotEnd {
					docs.Or(n.docs)
				}
			}
			if count[s] = docs.GetCardinality(); count[s] == 0 {
				count[s] = ^uint64(0) // nothing is lost without it
			}
		}
		sort.SliceStable(order, func(i, j int) bool { return count[order[i]] > count[order[j]] })
	}
	if !quoted && len(order) > 0 {
		order = order[:len(order)-1]
	}
	return order
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
