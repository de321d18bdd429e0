package engine

import (
	"slices"
	"sort"
	"strings"

	"github.com/RoaringBitmap/roaring/v2"
)

// Limits of a query.
const (
	maxQueryTerms  = 10
	maxQueryTokens = 1000

	// A server keeps lists of its own for short prefixes of many words.
	cachedPrefixLen   = 4
	cachedPrefixWords = 100

	// A server looks at so many words that begin with a longer prefix.
	maxPrefixWords = 1000
)

// phraseWord is one word of a phrase.
type phraseWord struct {
	term uint32
	wild bool // any word: a stop word stands here
}

// phrase is a run of words that must follow each other in one attribute. It is
// dead when one of its words is in no document.
type phrase struct {
	words []phraseWord
	dead  bool
}

// level are the ways to match a node with a given number of typos.
type level struct {
	terms   []uint32
	phrases []*phrase
}

// node is one word of the query, several adjacent ones read as one, or a
// quoted phrase, with everything that matches it.
type node struct {
	slot, slotEnd int // words of the query it stands for, end exclusive
	pos, posEnd   int // their positions, both inclusive
	text          string
	words         []string // of several words read as one
	prefix        bool
	maxTypos      int
	quoted        *phrase
	exact         uint32
	hasExact      bool
	levels        [3]level

	// cached says that a server keeps a list of its own for the prefix.
	cached bool

	docs *roaring.Bitmap // documents that match, any level
}

func (n *node) slots() int { return n.slotEnd - n.slot }

// graph is a parsed query.
type graph struct {
	nodes []*node // single words first, in order, then joined ones
	slots int
	// negative words and phrases exclude documents.
	negWords   []uint32
	negPhrases []*phrase
}

// queryParser turns the text of a query into a graph.
type queryParser struct {
	c      *core
	g      graph
	pos    int // of the last word
	phrase []phraseWord
	inside bool // within quotes
	start  int  // positions of its first and last word
	end    int
	dead   bool
	// negatePhrase and negateNext are set behind a minus sign.
	negatePhrase, negateNext bool
}

// parseQuery reads the text of a query and looks its words up.
func (c *core) parseQuery(q string) *graph {
	type piece struct {
		kind  tokenKind
		lemma string
	}
	var tokens []piece
	var buf []byte
	c.cfg.tok.each(q, &buf, func(t *token) bool {
		if len(t.lemma) > 0 {
			tokens = append(tokens, piece{t.kind, string(t.lemma)})
		}
		return len(tokens) < maxQueryTokens
	})
	p := &queryParser{c: c, pos: -1}
	spaced := true
	for i, t := range tokens {
		if p.g.slots >= maxQueryTerms {
			p.inside = false
			break
		}
		if t.kind.separates() {
			p.separator(t.kind, t.lemma, spaced)
		} else {
			p.word(t.kind, t.lemma, i == len(tokens)-1)
		}
		spaced = strings.TrimSpace(t.lemma[len(t.lemma)-1:]) == ""
	}
	if p.inside {
		p.endPhrase()
	}
	g := &p.g
	c.join(g)
	for _, n := range g.nodes {
		c.derive(n)
	}
	return g
}

func (p *queryParser) word(kind tokenKind, lemma string, last bool) {
	p.pos++
	switch {
	case p.inside:
		if len(p.phrase) == 0 || p.allWild() {
			p.start = p.pos
		}
		w := phraseWord{wild: kind == tokenStop}
		if !w.wild {
			id, ok := p.c.lex.lookup(lemma)
			w.term, p.dead = id, p.dead || !ok
		}
		p.phrase, p.end = append(p.phrase, w), p.pos
	case p.negateNext:
		if id, ok := p.c.lex.lookup(lemma); ok {
			p.g.negWords = append(p.g.negWords, id)
		}
		p.negateNext = false
	case kind == tokenWord || last:
		p.add(&node{text: lemma, prefix: last && p.c.cfg.PrefixSearch, pos: p.pos, posEnd: p.pos, maxTypos: p.c.cfg.typosAllowed(lemma)})
	}
}

func (p *queryParser) add(n *node) {
	n.slot, n.slotEnd = p.g.slots, p.g.slots+1
	p.g.slots++
	p.g.nodes = append(p.g.nodes, n)
}

func (p *queryParser) allWild() bool {
	for _, w := range p.phrase {
		if !w.wild {
			return false
		}
	}
	return true
}

func (p *queryParser) separator(kind tokenKind, lemma string, spaced bool) {
	if kind == tokenHard {
		p.pos += 7
		if p.inside { // a phrase does not reach over the end of a sentence
			p.endPhrase()
		}
	}
	quotes := strings.Count(lemma, `"`)
	if quotes > 0 {
		if p.inside {
			quotes--
			p.endPhrase()
			p.inside, p.negatePhrase = false, false
		}
		if quotes%2 == 1 {
			p.inside, p.negatePhrase = true, p.negateNext
		}
	}
	p.negateNext = !p.inside && lemma == "-" && spaced
}

func (p *queryParser) endPhrase() {
	words, dead := p.phrase, p.dead
	empty := p.allWild()
	p.phrase, p.dead = nil, false
	if empty {
		return
	}
	ph := &phrase{words: words, dead: dead}
	if p.negatePhrase {
		p.g.negPhrases = append(p.g.negPhrases, ph)
		return
	}
	p.add(&node{quoted: ph, pos: p.start, posEnd: p.end})
}

// join adds the readings of two or three adjacent words as one.
func (c *core) join(g *graph) {
	single := g.nodes[:g.slots:g.slots]
	for end := range single {
		for length := 2; length <= 3 && length <= end+1; length++ {
			if n := c.joined(single[end+1-length : end+1]); n != nil {
				g.nodes = append(g.nodes, n)
			}
		}
	}
}

func (c *core) joined(list []*node) *node {
	first, last := list[0], list[len(list)-1]
	n := &node{slot: first.slot, slotEnd: last.slotEnd, pos: first.pos, posEnd: last.posEnd, prefix: last.prefix}
	for i, m := range list {
		if m.quoted != nil || i > 0 && list[i-1].posEnd+1 != m.pos {
			return nil
		}
		n.text += m.text
		n.words = append(n.words, m.text)
	}
	if len(n.text) > maxWordLen {
		return nil
	}
	n.maxTypos = max(c.cfg.typosAllowed(n.text)-(len(list)-1), 0)
	return n
}

// derive finds all words and phrases of the index that match a node.
func (c *core) derive(n *node) {
	if n.quoted != nil {
		n.levels[0].phrases = []*phrase{n.quoted}
		return
	}
	if len(n.text) > maxWordLen {
		return
	}
	zero := &n.levels[0]
	n.exact, n.hasExact = c.lex.lookup(n.text)
	if n.hasExact {
		zero.terms = append(zero.terms, n.exact)
	}
	if n.prefix {
		c.lex.withPrefix(n.text, func(id uint32) {
			if !n.hasExact || id != n.exact {
				zero.terms = append(zero.terms, id)
			}
		})
		n.cached = len(n.text) <= cachedPrefixLen && len(zero.terms) >= cachedPrefixWords
		if !n.cached && !c.cfg.Even {
			most := maxPrefixWords
			if n.hasExact {
				most++
			}
			zero.terms = zero.terms[:min(len(zero.terms), most)]
		}
	}
	keys := []string{n.text}
	if n.words != nil {
		keys = append(keys, strings.Join(n.words, "\x00"))
	}
	for _, key := range keys {
		for _, words := range c.cfg.synonyms[key] {
			if p := c.phraseOf(words); !p.dead {
				zero.phrases = append(zero.phrases, p)
			}
		}
	}
	if n.maxTypos > 0 {
		caps := serverTypoCaps
		if c.cfg.Even {
			caps = noTypoCaps
		}
		c.lex.withTypos(n.text, n.maxTypos, n.prefix, caps, func(id uint32, typos int) bool {
			if !c.tolerant(id) {
				return false
			}
			n.levels[typos].terms = append(n.levels[typos].terms, id)
			return true
		})
	}
	if p := c.split(n); p != nil {
		n.levels[1].phrases = append(n.levels[1].phrases, p)
	}
	for i := range n.levels {
		t := n.levels[i].terms
		sort.Slice(t, func(a, b int) bool { return t[a] < t[b] })
	}
}

// tolerant tells whether a word of the index can be meant by another one: not when
// it stands in attributes without typos only, or is a number where those have none.
func (c *core) tolerant(id uint32) bool {
	if c.cfg.Typo.DisableOnNumbers && isNumberWord(c.lex.words[id]) {
		return false
	}
	return slices.ContainsFunc(c.post[id].attrs, func(p attrDocs) bool { return !c.fields.attrs[p.attr].exact })
}

func (c *core) phraseOf(words []string) *phrase {
	p := &phrase{}
	for _, w := range words {
		id, ok := c.lex.lookup(w)
		p.words, p.dead = append(p.words, phraseWord{term: id}), p.dead || !ok
	}
	return p
}

// split reads a word as the two words that follow each other most often in the
// index.
func (c *core) split(n *node) *phrase {
	var list []splitWord
	for i := range n.text {
		if i == 0 {
			continue
		}
		left, ok := c.lex.lookup(n.text[:i])
		if !ok {
			continue
		}
		right, ok := c.lex.lookup(n.text[i:])
		if !ok {
			continue
		}
		s := splitWord{at: i, left: left, right: right}
		s.both = int(c.termDocs(left, everywhere).AndCardinality(c.termDocs(right, everywhere)))
		list = append(list, s)
	}
	// Those in most documents first: the others can often not win any more.
	slices.SortStableFunc(list, func(a, b splitWord) int { return b.both - a.both })
	var best *phrase
	most, at := 0, 0
	for _, s := range list {
		if s.both < most {
			break
		}
		p := &phrase{words: []phraseWord{{term: s.left}, {term: s.right}}}
		count := int(c.phraseDocs(p, nil).GetCardinality())
		if count > most || best != nil && count == most && s.at < at {
			best, most, at = p, count, s.at
		}
	}
	if len(n.words) == 2 && n.maxTypos < 2 && len(n.words[0]) == at {
		return nil // these are the words that were joined
	}
	return best
}

// splitWord is a word read as two, the second of which begins at a byte; both are in
// so many documents.
type splitWord struct {
	at, both    int
	left, right uint32
}

// attrSet restricts a search to some attributes; nil for all.
type attrSet map[uint16]struct{}

func (s attrSet) has(attr uint16) bool {
	if s == nil {
		return true
	}
	_, ok := s[attr]
	return ok
}

// termDocs are the documents with a term in an attribute that keep passes.
func (c *core) termDocs(term uint32, keep func(attr uint16) bool) *roaring.Bitmap {
	p := c.post[term].attrs
	if len(p) == 1 && keep(p[0].attr) {
		return p[0].docs
	}
	out := roaring.New()
	for _, a := range p {
		if keep(a.attr) {
			out.Or(a.docs)
		}
	}
	return out
}

// phraseDocs are the documents with a phrase in one of the attributes.
func (c *core) phraseDocs(p *phrase, attrs attrSet) *roaring.Bitmap {
	out := roaring.New()
	if p.dead {
		return out
	}
	var all *roaring.Bitmap
	for _, w := range p.words {
		if w.wild {
			continue
		}
		docs := c.termDocs(w.term, attrs.has)
		if all == nil {
			all = docs.Clone()
		} else {
			all.And(docs)
		}
	}
	if all == nil || len(p.words) == 1 {
		if all != nil {
			return all
		}
		return out
	}
	if !c.cfg.ProximityByAttribute {
		if docs, ok := c.phraseInColumns(p, all); ok {
			return docs
		}
	}
	it := all.Iterator()
	for it.HasNext() {
		if doc := it.Next(); p.follows(c.docs[doc], c.cfg.ProximityByAttribute) {
			out.Add(doc)
		}
	}
	return out
}

// phraseInColumns are those of the documents with all words of a phrase that hold the
// phrase, unless they are too few for columns.
func (c *core) phraseInColumns(p *phrase, all *roaring.Bitmap) (*roaring.Bitmap, bool) {
	looked := int(all.GetCardinality())
	if len(p.words) == 2 && !p.words[0].wild && !p.words[1].wild {
		if docs := c.following(p.words[0].term, p.words[1].term, looked); docs != nil {
			return roaring.And(docs, all), true
		}
		return nil, false
	}
	cursors := make([]cursor, len(p.words))
	for i, w := range p.words {
		if w.wild {
			continue
		}
		if cursors[i].c = c.termColumn(w.term, looked); cursors[i].c == nil {
			return nil, false
		}
	}
	var docs []uint32
	places := make([][]uint32, len(p.words))
	all.Iterate(func(doc uint32) bool {
		for i := range cursors {
			if cursors[i].c != nil {
				places[i] = cursors[i].places(doc)
			}
		}
		for i, a := range places {
			for gap := 1; gap <= 2 && i+gap < len(places); gap++ {
				if b := places[i+gap]; a != nil && b != nil && ahead(a, b, 3) > uint32(gap) {
					return true
				}
			}
		}
		docs = append(docs, doc)
		return true
	})
	return roaring.BitmapOf(docs...), true
}

// in tells whether a document holds the phrase. Like a real server it only
// looks at the distances between any three neighbours, so a long phrase may be
// found in pieces; and only at attributes when distances are not kept.
func (p *phrase) in(d *document, attrs attrSet, byAttribute bool) bool {
	for _, w := range p.words {
		if !w.wild && !d.has(w.term, attrs) {
			return false
		}
	}
	return p.follows(d, byAttribute)
}

// follows tells whether a document that has all words of the phrase holds the phrase.
func (p *phrase) follows(d *document, byAttribute bool) bool {
	for i, a := range p.words {
		if a.wild {
			continue
		}
		for gap := 1; gap <= 2 && i+gap < len(p.words); gap++ {
			b := p.words[i+gap]
			if b.wild {
				continue
			}
			if byAttribute && !d.together(a.term, b.term) || !byAttribute && !d.near(a.term, b.term, gap) {
				return false
			}
		}
	}
	return true
}

// has tells whether a term is in one of the attributes.
func (d *document) has(term uint32, attrs attrSet) bool {
	for _, o := range d.of(term) {
		if attrs.has(o.attr) {
			return true
		}
	}
	return false
}

// together tells whether two terms are in one attribute.
func (d *document) together(a, b uint32) bool {
	as, bs := d.of(a), d.of(b)
	for len(as) > 0 && len(bs) > 0 {
		switch {
		case as[0].attr == bs[0].attr:
			return true
		case as[0].attr < bs[0].attr:
			as = as[1:]
		default:
			bs = bs[1:]
		}
	}
	return false
}

// near tells whether b stands at most gap places behind a somewhere.
func (d *document) near(a, b uint32, gap int) bool {
	for _, o := range d.of(a) {
		for g := 1; g <= gap; g++ {
			if d.hasAt(b, o.attr, int(o.pos)+g) {
				return true
			}
		}
	}
	return false
}

// hasAt reports whether a term stands at a place.
func (d *document) hasAt(term uint32, attr uint16, pos int) bool {
	i := sort.Search(len(d.occ), func(i int) bool {
		o := d.occ[i]
		if o.term != term {
			return o.term > term
		}
		return o.attr > attr || o.attr == attr && int(o.pos) >= pos
	})
	return i < len(d.occ) && d.occ[i] == occurrence{term, attr, uint16(pos)}
}
