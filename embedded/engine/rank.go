package engine

import "math/bits"

func trailingZeros(w uint64) int { return bits.TrailingZeros64(w) }

// maxNear is the distance from which two words count as not near at all.
const maxNear = 4

// place is where a node matches in a document.
type place struct {
	attr, pos uint16
	level     uint8
	exact     bool // the word as it was typed, or the quoted phrase
	phrase    bool
	// first and last say which word of a phrase stands here. Where a document
	// holds a phrase, a server takes all places of these words for the phrase.
	first, last bool
	headless    bool // a stop word stands before the first word
	// outside is set in attributes that are not searched: a server ignores the
	// restriction where it looks at distances and positions.
	outside bool
	// untyped is set for words with typos in attributes without tolerance: they
	// match nothing there but count once the document has matched.
	untyped bool
}

// step is one node of a path through the graph, with the numbers of typos that
// are still open as bits.
type step struct {
	node   uint8
	levels uint8
}

type path []step

// ref says which node a term belongs to.
type ref struct {
	node  uint8
	level uint8
	exact bool
}

type phraseRef struct {
	phrase *phrase
	node   uint8
	level  uint8
	quoted bool
}

// scorer ranks the documents of one query by what stands where in them. It
// works on one document at a time and is not safe for concurrent use.
type scorer struct {
	m       *matcher
	terms   map[uint32][]ref
	list    []uint32 // the keys of terms, when few
	table   []uint16 // class of every term, when many
	classes [][]ref
	phrases []phraseRef

	doc    *document
	places [][]place // by node
	paths  []path
	arena  []step
}

// fewTerms is up to how many terms are looked up one by one in a document.
const fewTerms = 12

func newScorer(m *matcher) *scorer {
	s := &scorer{m: m, terms: make(map[uint32][]ref), places: make([][]place, len(m.g.nodes))}
	for i, n := range m.g.nodes {
		for l := range n.levels {
			for _, t := range n.levels[l].terms {
				exact := l == 0 && n.words == nil && n.hasExact && t == n.exact
				s.terms[t] = append(s.terms[t], ref{uint8(i), uint8(l), exact})
			}
			for _, p := range n.levels[l].phrases {
				if !p.dead {
					s.phrases = append(s.phrases, phraseRef{p, uint8(i), uint8(l), n.quoted == p})
				}
			}
		}
	}
	if len(s.terms) <= fewTerms {
		for t := range s.terms {
			s.list = append(s.list, t)
		}
		return s
	}
	s.classify()
	return s
}

// classify numbers the different sets of nodes terms belong to.
func (s *scorer) classify() {
	s.table = make([]uint16, len(s.m.c.lex.words))
	s.classes = [][]ref{nil}
	known := make(map[string]uint16)
	var key []byte
	for t, refs := range s.terms {
		key = key[:0]
		for _, r := range refs {
			e := byte(0)
			if r.exact {
				e = 1
			}
			key = append(key, r.node, r.level, e)
		}
		id, ok := known[string(key)]
		if !ok {
			id = uint16(len(s.classes))
			known[string(key)] = id
			s.classes = append(s.classes, refs)
		}
		s.table[t] = id
	}
}

// load collects the places of all nodes in a document.
func (s *scorer) load(d *document) {
	s.doc = d
	for i := range s.places {
		s.places[i] = s.places[i][:0]
	}
	if s.table != nil {
		for _, o := range d.occ {
			if c := s.table[o.term]; c != 0 {
				s.note(o, s.classes[c])
			}
		}
	} else {
		for _, t := range s.list {
			for _, o := range d.of(t) {
				s.note(o, s.terms[t])
			}
		}
	}
	for i := range s.phrases {
		s.notePhrase(&s.phrases[i])
	}
}

func (s *scorer) notePhrase(p *phraseRef) {
	if !p.phrase.in(s.doc, s.m.attrs, s.m.c.cfg.ProximityByAttribute) {
		return
	}
	words := p.phrase.words
	first := true
	for i, w := range words {
		if w.wild {
			continue
		}
		pl := place{level: p.level, exact: p.quoted, phrase: true, first: first, headless: words[0].wild, last: i == len(words)-1}
		first = false
		if !pl.first && !pl.last {
			continue
		}
		for _, o := range s.doc.of(w.term) {
			pl.attr, pl.pos, pl.outside = o.attr, o.pos, !s.m.attrs.has(o.attr)
			s.places[p.node] = append(s.places[p.node], pl)
		}
	}
}

func (s *scorer) note(o occurrence, refs []ref) {
	outside := !s.m.attrs.has(o.attr)
	for _, r := range refs {
		untyped := (r.level > 0 || s.m.g.nodes[r.node].words != nil) && s.m.c.fields.attrs[o.attr].exact
		s.places[r.node] = append(s.places[r.node], place{attr: o.attr, pos: o.pos, level: r.level, exact: r.exact, first: true, last: true, outside: outside, untyped: untyped})
	}
}

// maxPaths bounds the readings of a query that are followed in one document.
const maxPaths = 64

// open lists the paths through the kept words that the document matches.
func (s *scorer) open(kept []int) {
	s.paths, s.arena = s.paths[:0], s.arena[:0]
	var current [maxQueryTerms]step
	s.extend(kept, 0, current[:0])
}

func (s *scorer) extend(kept []int, i int, current path) {
	if i == len(kept) {
		if len(s.paths) < maxPaths {
			start := len(s.arena)
			s.arena = append(s.arena, current...)
			s.paths = append(s.paths, s.arena[start:len(s.arena):len(s.arena)])
		}
		return
	}
	for id, n := range s.m.g.nodes {
		end := i + n.slots()
		if n.slot != kept[i] || end > len(kept) || kept[end-1] != n.slotEnd-1 {
			continue
		}
		levels := uint8(0)
		for _, p := range s.places[id] {
			if !p.outside && !p.untyped {
				levels |= 1 << p.level
			}
		}
		if levels != 0 {
			s.extend(kept, end, append(current, step{uint8(id), levels}))
		}
	}
}

// narrow keeps the paths of least cost and returns that cost.
func (s *scorer) narrow(cost func(path) int) int {
	best := -1
	out := s.paths[:0]
	for _, p := range s.paths {
		switch c := cost(p); {
		case best < 0 || c < best:
			best = c
			out = append(out[:0], p)
		case c == best:
			out = append(out, p)
		}
	}
	s.paths = out
	return max(best, 0)
}

// typo counts typos; joined words count as many as there are words.
func (s *scorer) typo() int {
	best := s.narrow(func(p path) int {
		sum := 0
		for _, st := range p {
			sum += bits.TrailingZeros8(st.levels)
			if n := s.m.g.nodes[st.node]; n.words != nil {
				sum += len(n.words)
			}
		}
		return sum
	})
	for _, p := range s.paths {
		for i := range p {
			p[i].levels &= -p[i].levels
		}
	}
	return best
}

// proximity sums up how far neighbours in the query are apart.
func (s *scorer) proximity() int {
	return s.narrow(func(p path) int {
		sum := 0
		for i, st := range p {
			n := s.m.g.nodes[st.node]
			sum += n.slots() - 1
			if i == 0 {
				continue
			}
			left := s.m.g.nodes[p[i-1].node]
			if left.posEnd+1 != n.pos {
				continue
			}
			sum += s.near(p[i-1], st)
		}
		return sum
	})
}

// near is the cost of the nearest pair of places of two neighbours.
func (s *scorer) near(left, right step) int {
	best := maxNear - 1
	for _, a := range s.places[left.node] {
		if left.levels>>a.level&1 == 0 || !a.last {
			continue
		}
		for _, b := range s.places[right.node] {
			if a.attr != b.attr || right.levels>>b.level&1 == 0 || !b.first || b.headless {
				continue
			}
			if s.m.c.cfg.ProximityByAttribute {
				return 0
			}
			d := int(b.pos) - int(a.pos)
			switch {
			case d > 0:
				d--
			case a.phrase || b.phrase || b.pos >= a.pos:
				continue
			default:
				d = int(a.pos) - int(b.pos)
			}
			if d < best {
				if best = d; best == 0 {
					return 0
				}
			}
		}
	}
	return best
}

// attributeRank sums up the best attribute each word is found in.
func (s *scorer) attributeRank() int {
	return s.narrow(func(p path) int {
		sum := 0
		for _, st := range p {
			best := s.m.c.cfg.maxWeight()
			for _, pl := range s.places[st.node] {
				if st.levels>>pl.level&1 != 0 && pl.first && !pl.outside {
					best = min(best, s.m.c.fields.attrs[pl.attr].weight)
				}
			}
			sum += best * s.m.g.nodes[st.node].slots()
		}
		return sum
	})
}

// wordPosition sums up how far words are from where they stand in the query.
func (s *scorer) wordPosition() int {
	return s.narrow(func(p path) int {
		sum := 0
		for _, st := range p {
			n := s.m.g.nodes[st.node]
			best := 10 * n.slots()
			for _, pl := range s.places[st.node] {
				if st.levels>>pl.level&1 == 0 || !pl.first {
					continue
				}
				d := bucketPosition(int(pl.pos)) - n.pos
				if d < 0 {
					d = -d
				}
				cost := 0
				for i := range n.slots() {
					cost += positionCost(d + i)
				}
				best = min(best, cost)
			}
			sum += best
		}
		return sum
	})
}

// bucketPosition makes far positions coarse.
func bucketPosition(p int) int {
	switch {
	case p < 16:
		return p
	case p < 24:
		return 24
	}
	return 1 << bits.Len(uint(p-1))
}

func positionCost(distance int) int {
	for cost, limit := range [...]int{0, 1, 4, 7, 11, 16, 24, 64, 256, 1024} {
		if distance <= limit {
			return cost
		}
	}
	return 10
}

// Results of exactAttribute.
const (
	attributeEquals = iota
	attributeStarts
	attributeDiffers
)

// exactAttribute tells whether a whole attribute is the query, or begins with
// it.
func (s *scorer) exactAttribute() int {
	if len(s.paths) == 0 {
		return attributeDiffers
	}
	var exact []*node
	for _, st := range s.paths[0] {
		n := s.m.g.nodes[st.node]
		if n.words == nil && st.levels&1 != 0 && (n.hasExact || n.quoted != nil) {
			exact = append(exact, n)
		}
	}
	if len(exact) == 0 || exact[0].slot != 0 {
		return attributeDiffers
	}
	total := 0
	for i, n := range exact {
		if i > 0 && n.slot-exact[i-1].slot > 1 {
			return attributeDiffers
		}
		total += n.posEnd - n.pos + 1
	}
	attrs := make(map[uint16]int)
	words := 0
	for _, n := range exact {
		list := []phraseWord{{term: n.exact}}
		if n.quoted != nil {
			list = n.quoted.words
		}
		for i, w := range list {
			if w.wild {
				continue
			}
			words++
			if !s.placed(w.term, n.pos+i, words, attrs) {
				return attributeDiffers
			}
		}
	}
	result := attributeDiffers
	for attr, n := range attrs {
		if n != words {
			continue
		}
		if s.doc.wordCount(attr) == total && total <= 30 {
			return attributeEquals
		}
		result = attributeStarts
	}
	return result
}

// placed checks that a word stands somewhere at its position in the query and
// counts, for attributes that had all words before, that they have this one.
func (s *scorer) placed(term uint32, pos, nth int, attrs map[uint16]int) bool {
	found := false
	last := -1
	for _, o := range s.doc.of(term) {
		found = found || bucketPosition(int(o.pos)) == bucketPosition(pos)
		if !s.m.attrs.has(o.attr) {
			continue
		}
		if int(o.attr) != last {
			last = int(o.attr)
			if attrs[o.attr] == nth-1 {
				attrs[o.attr] = nth
			}
		}
	}
	return found
}

// inexactWords counts the words that are not in the document as typed.
func (s *scorer) inexactWords() int {
	return s.narrow(func(p path) int {
		sum := 0
		for _, st := range p {
			n := s.m.g.nodes[st.node]
			cost := n.slots()
			for _, pl := range s.places[st.node] {
				if pl.exact && !pl.outside && st.levels>>pl.level&1 != 0 {
					cost = 0
				}
			}
			sum += cost
		}
		return sum
	})
}
