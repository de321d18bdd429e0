package engine

import (
	"github.com/RoaringBitmap/roaring/v2"
	"github.com/blevesearch/vellum"
)

// core is all data of an index under one version of the settings. The writer
// changes it under the index's lock; what only the writer uses is in extractor.
type core struct {
	cfg    *config
	fields *fieldTable
	docs   []*document // by document number; nil when free
	byID   map[string]uint32
	live   *roaring.Bitmap
	lex    lexicon
	post   []posting // by term
	facets []*facet  // by field; nil when the field has none
	dist   map[string]uint64
	raw    uint64
	geo    *roaring.Bitmap // documents with a place
	// embedded are the documents with vectors, by embedder.
	embedded map[string]*roaring.Bitmap

	columns columns // of readers
	writer  extractor
}

func newCore(cfg *config) *core {
	t := &fieldTable{ids: make(map[string]uint16)}
	c := &core{
		cfg: cfg, fields: t, byID: make(map[string]uint32), live: roaring.New(),
		dist: make(map[string]uint64), geo: roaring.New(), embedded: make(map[string]*roaring.Bitmap),
	}
	c.columns.least = columnDocs
	c.writer = extractor{cfg: cfg, fields: t, dict: newDictionary()}
	return c
}

// change is one document to put in place or to remove.
type change struct {
	doc uint32
	new *extracted // nil to remove
}

// prepare does for a list of changes what needs no lock: it counts words and
// builds the new automaton.
func (c *core) prepare(changes []change) (*vellum.FST, []uint32, error) {
	d := c.writer.dict
	for _, ch := range changes {
		if ch.new != nil {
			ch.new.termSet(d.hold)
		}
	}
	for _, ch := range changes {
		if int(ch.doc) < len(c.docs) && c.docs[ch.doc] != nil {
			c.docs[ch.doc].termSet(d.drop)
		}
	}
	return d.rebuild(c.lex.fst)
}

// commit makes prepared changes visible. The caller holds the lock, unless no
// reader can see the core yet.
func (c *core) commit(changes []change, fst *vellum.FST, gone []uint32) {
	d := c.writer.dict
	c.fields, c.writer.shared = c.writer.fields, true
	for len(c.post) < len(d.words) {
		c.post = append(c.post, posting{})
	}
	for len(c.facets) < len(c.fields.attrs) {
		c.facets = append(c.facets, nil)
	}
	for _, ch := range changes {
		c.remove(ch.doc)
		if ch.new != nil {
			c.insert(ch.doc, ch.new)
		}
	}
	for _, id := range gone {
		c.post[id] = posting{}
	}
	d.release(gone)
	c.lex = lexicon{fst: fst, words: d.words}
	c.columns.reset()
}

func (c *core) insert(doc uint32, e *extracted) {
	d := e.document
	for len(c.docs) <= int(doc) {
		c.docs = append(c.docs, nil)
	}
	c.docs[doc] = d
	c.byID[d.id] = doc
	c.live.Add(doc)
	c.raw += uint64(len(d.raw))
	for i, o := range d.occ {
		if i > 0 && d.occ[i-1].term == o.term && d.occ[i-1].attr == o.attr {
			continue
		}
		c.post[o.term].add(o, doc)
	}
	d.facets = make([]docFacet, len(e.raws))
	for i := range e.raws {
		r := &e.raws[i]
		if c.facets[r.field] == nil {
			c.facets[r.field] = newFacet()
		}
		d.facets[i] = c.facets[r.field].add(doc, r)
	}
	for _, p := range d.parts {
		if name := c.fields.attrs[p.field].name; name != "_vectors" {
			c.dist[name]++
		}
	}
	if d.geo != nil {
		c.geo.Add(doc)
	}
	for name, e := range d.vectors {
		if len(e.list) == 0 {
			continue
		}
		if c.embedded[name] == nil {
			c.embedded[name] = roaring.New()
		}
		c.embedded[name].Add(doc)
	}
}

func (c *core) remove(doc uint32) {
	if int(doc) >= len(c.docs) || c.docs[doc] == nil {
		return
	}
	d := c.docs[doc]
	for i, o := range d.occ {
		if i > 0 && d.occ[i-1].term == o.term && d.occ[i-1].attr == o.attr {
			continue
		}
		c.post[o.term].remove(o, doc)
	}
	for i := range d.facets {
		c.facets[d.facets[i].field].remove(doc, &d.facets[i])
	}
	for _, p := range d.parts {
		name := c.fields.attrs[p.field].name
		if n := c.dist[name]; n > 1 {
			c.dist[name] = n - 1
		} else {
			delete(c.dist, name)
		}
	}
	c.geo.Remove(doc)
	for _, docs := range c.embedded {
		docs.Remove(doc)
	}
	c.raw -= uint64(len(d.raw))
	c.live.Remove(doc)
	delete(c.byID, d.id)
	c.docs[doc] = nil
}

// facetOf returns the facet of a field, nil when no document has a value kept.
func (c *core) facetOf(name string) (*facet, uint16) {
	id, ok := c.fields.id(name)
	if !ok || int(id) >= len(c.facets) {
		return nil, 0
	}
	return c.facets[id], id
}
