package engine

import (
	"sort"
	"strconv"

	"github.com/RoaringBitmap/roaring/v2"
)

// occurrence is one place of a word in a document.
type occurrence struct {
	term uint32
	attr uint16
	pos  uint16
}

// part is one top-level member of a document's raw JSON.
type part struct {
	field      uint16
	start, end uint32 // of the value
}

// wordCount is the number of words of one attribute.
type wordCount struct {
	attr, n uint16
}

type facetState uint8

const (
	facetNull facetState = 1 << iota
	facetEmpty
)

// rawFacet are the values of one field of a document before they have numbers.
type rawFacet struct {
	field uint16
	state facetState
	nums  []float64
	strs  []string // as in the document
}

// docFacet are the values of one field of a document, by number.
type docFacet struct {
	field  uint16
	state  facetState
	values []uint32
}

// document is what is kept of one document. It is never changed.
type document struct {
	id     string
	raw    []byte // members in the order of field numbers
	parts  []part
	occ    []occurrence // by term, attribute, position
	counts []wordCount
	facets []docFacet // by field
	geo    *Point
	// vectors are the embeddings by embedder. An entry without any says that
	// the document does not take part.
	vectors map[string]embeddings
}

// embeddings are the vectors of a document for one embedder.
type embeddings struct {
	list       [][]float32
	regenerate bool
	left       bool // the document says nothing new; not kept
}

func (d *document) facet(field uint16) *docFacet {
	i := sort.Search(len(d.facets), func(i int) bool { return d.facets[i].field >= field })
	if i < len(d.facets) && d.facets[i].field == field {
		return &d.facets[i]
	}
	return nil
}

// of returns the occurrences of a term.
func (d *document) of(term uint32) []occurrence {
	lo := sort.Search(len(d.occ), func(i int) bool { return d.occ[i].term >= term })
	hi := lo
	for hi < len(d.occ) && d.occ[hi].term == term {
		hi++
	}
	return d.occ[lo:hi]
}

func (d *document) wordCount(attr uint16) int {
	for _, c := range d.counts {
		if c.attr == attr {
			return int(c.n)
		}
	}
	return 0
}

// extractor turns JSON documents into documents. It belongs to the writer.
type extractor struct {
	cfg    *config
	fields *fieldTable
	shared bool // fields may be held by readers: copy before adding
	dict   *dictionary
	buf    []byte
	facets []rawFacet
	last   map[uint16]int // position after which the next value of a field begins
	counts map[uint16]int
	occ    []occurrence
	err    error
	// lacking are documents without vectors, by embedder, of the batch so far.
	lacking map[string][]string
	// asking are the embedders that the document last read wants new vectors of.
	asking []string
}

// maxFields is the number of fields an index may have.
const maxFields = 65535

// field returns the number of a field, giving it one if need be.
func (x *extractor) field(name string) uint16 {
	if id, ok := x.fields.ids[name]; ok {
		return id
	}
	if len(x.fields.attrs) >= maxFields {
		x.err = &Error{Code: "max_fields_limit_exceeded", OfIndex: true, Message: "A document cannot contain more than 65,535 fields."}
		return 0
	}
	if x.shared {
		t := &fieldTable{ids: make(map[string]uint16, len(x.fields.ids)+1)}
		t.attrs = append(make([]attr, 0, len(x.fields.attrs)+8), x.fields.attrs...)
		for k, v := range x.fields.ids {
			t.ids[k] = v
		}
		x.fields, x.shared = t, false
	}
	id := uint16(len(x.fields.attrs))
	x.fields.attrs = append(x.fields.attrs, x.cfg.describe(name))
	x.fields.ids[name] = id
	return id
}

// extracted is a document whose facet values have no numbers yet: those are
// given under the lock.
type extracted struct {
	*document
	raws []rawFacet
}

// extract processes one document; old is what it replaces, or nil.
func (x *extractor) extract(id string, v *jsonValue, old *document) (*extracted, error) {
	d := &document{id: id}
	x.err = nil
	x.occ = x.occ[:0]
	x.facets = nil
	if x.last == nil {
		x.last, x.counts = make(map[uint16]int), make(map[uint16]int)
	}
	clear(x.last)
	clear(x.counts)
	if err := x.reserved(d, v, old); err != nil {
		return nil, err
	}
	v = x.withoutVectors(v)
	x.layout(d, v)
	for at, name := range v.keys { // in the order they were sent
		if !reservedField(name) {
			x.words(name, &v.items[at])
			x.values(name, &v.items[at])
		}
	}
	if d.geo != nil && x.cfg.geoEnabled() {
		x.facetValue("_geo.lat", true, &jsonValue{kind: jsonNumber, num: d.geo.Lat})
		x.facetValue("_geo.lng", true, &jsonValue{kind: jsonNumber, num: d.geo.Lng})
	}
	if x.err != nil {
		return nil, x.err
	}
	d.occ = append([]occurrence(nil), x.occ...)
	sort.Slice(d.occ, func(i, j int) bool {
		a, b := d.occ[i], d.occ[j]
		if a.term != b.term {
			return a.term < b.term
		}
		return a.attr < b.attr || a.attr == b.attr && a.pos < b.pos
	})
	for a, n := range x.counts {
		d.counts = append(d.counts, wordCount{a, uint16(min(n, 65535))})
	}
	sort.Slice(d.counts, func(i, j int) bool { return d.counts[i].attr < d.counts[j].attr })
	raws := x.facets
	sort.SliceStable(raws, func(i, j int) bool { return raws[i].field < raws[j].field })
	return &extracted{d, raws}, nil
}

// layout writes the raw JSON with members ordered by field number.
func (x *extractor) layout(d *document, v *jsonValue) {
	fields, order := make([]uint16, len(v.keys)), make([]int, len(v.keys))
	for i, k := range v.keys {
		fields[i], order[i] = x.field(k), i
	}
	sort.SliceStable(order, func(i, j int) bool { return fields[order[i]] < fields[order[j]] })
	b := append(make([]byte, 0, 512), '{')
	d.parts = make([]part, len(order))
	for i, at := range order {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendString(b, v.keys[at])
		b = append(b, ':')
		start := len(b)
		b = v.items[at].appendTo(b)
		d.parts[i] = part{fields[at], uint32(start), uint32(len(b))}
	}
	d.raw = append(append(make([]byte, 0, len(b)+1), b...), '}')
}

// seek visits the members of an object and all that is nested in them. visit
// says whether to go on below; inArray is true for the elements of arrays.
func seek(v *jsonValue, base string, visit func(name string, inArray bool, v *jsonValue) bool) {
	switch v.kind {
	case jsonObject:
		if len(v.keys) == 0 {
			visit(base, false, v)
		}
		for i, k := range v.keys {
			name := base + "." + k
			if visit(name, false, &v.items[i]) {
				seek(&v.items[i], name, visit)
			}
		}
	case jsonArray:
		if len(v.items) == 0 {
			visit(base, false, v)
		}
		for i := range v.items {
			if k := v.items[i].kind; k == jsonObject || k == jsonArray {
				seek(&v.items[i], base, visit)
			} else {
				visit(base, true, &v.items[i])
			}
		}
	}
}

func (x *extractor) words(name string, v *jsonValue) {
	kind := x.fields.attrs[x.field(name)].search
	if kind == noMatch {
		return
	}
	if v.kind != jsonObject && v.kind != jsonArray {
		if kind == fullMatch {
			x.tokenize(x.field(name), v)
		}
		return
	}
	seek(v, name, func(n string, _ bool, v *jsonValue) bool {
		m, _ := x.cfg.searchMatch(n)
		if m == fullMatch {
			x.tokenize(x.field(n), v)
		}
		return m != noMatch
	})
}

// valueGap is how far apart the words of two values of one field are.
const valueGap = 8

const maxPosition = 65535

// tokenize notes the words of one value. Values without words take up room
// between others, as does an array that lies in an object.
func (x *extractor) tokenize(field uint16, v *jsonValue) {
	pos, seen := x.last[field]
	if seen {
		pos += valueGap
	}
	x.last[field] = pos
	if v.kind == jsonNull || v.kind == jsonObject || v.kind == jsonArray || pos > maxPosition {
		return
	}
	started, gap := false, 0
	x.cfg.tok.each(v.text, &x.buf, func(t *token) bool {
		if t.kind.separates() {
			if started {
				if t.kind == tokenHard {
					gap = valueGap
				} else if gap != valueGap {
					gap = 1
				}
			}
			return true
		}
		if len(t.lemma) == 0 {
			return true
		}
		if started {
			pos += max(gap, 1)
		}
		started, gap = true, 1
		if pos > maxPosition {
			return false
		}
		if t.kind == tokenStop || len(t.lemma) > maxWordLen {
			return true
		}
		x.occ = append(x.occ, occurrence{x.dict.intern(t.lemma), field, uint16(pos)})
		x.counts[field]++
		x.last[field] = pos
		return true
	})
}

// values collects what filters, facets and sorts need.
func (x *extractor) values(name string, v *jsonValue) {
	kind := x.fields.attrs[x.field(name)].facet
	if kind == noMatch {
		return
	}
	if v.kind == jsonObject || v.kind == jsonArray {
		seek(v, name, func(n string, inArray bool, v *jsonValue) bool {
			m := x.cfg.facetMatch(n)
			if m == fullMatch {
				x.facetValue(n, !inArray, v)
			}
			return m != noMatch
		})
	}
	if kind == fullMatch {
		x.facetValue(name, true, v)
	}
}

func (x *extractor) facetValue(name string, base bool, v *jsonValue) {
	field := x.field(name)
	var f *rawFacet
	for i := range x.facets {
		if x.facets[i].field == field {
			f = &x.facets[i]
		}
	}
	if f == nil {
		x.facets = append(x.facets, rawFacet{field: field})
		f = &x.facets[len(x.facets)-1]
	}
	switch v.kind {
	case jsonNumber:
		f.nums = append(f.nums, v.num)
	case jsonBool:
		f.strs = append(f.strs, v.text)
	case jsonString:
		if v.text != "" {
			f.strs = append(f.strs, v.text)
		} else if base {
			f.state |= facetEmpty
		}
	case jsonNull:
		if base {
			f.state |= facetNull
		}
	default:
		if base && len(v.items) == 0 {
			f.state |= facetEmpty
		}
	}
}

// termSet lists the different terms of a document, sorted.
func (d *document) termSet(f func(uint32)) {
	for i := range d.occ {
		if i == 0 || d.occ[i].term != d.occ[i-1].term {
			f(d.occ[i].term)
		}
	}
}

// attrDocs are the documents that hold a term in one attribute.
type attrDocs struct {
	attr uint16
	docs *roaring.Bitmap
}

// posting are the documents of a term.
type posting struct {
	attrs []attrDocs
	// first are the documents some attribute of which begins with the term.
	first *roaring.Bitmap
}

func (p *posting) add(o occurrence, doc uint32) {
	if o.pos == 0 {
		if p.first == nil {
			p.first = roaring.New()
		}
		p.first.Add(doc)
	}
	for i := range p.attrs {
		if p.attrs[i].attr == o.attr {
			p.attrs[i].docs.Add(doc)
			return
		}
	}
	p.attrs = append(p.attrs, attrDocs{o.attr, roaring.BitmapOf(doc)})
}

func (p *posting) remove(o occurrence, doc uint32) {
	if o.pos == 0 && p.first != nil {
		p.first.Remove(doc)
	}
	for i := range p.attrs {
		if p.attrs[i].attr != o.attr {
			continue
		}
		p.attrs[i].docs.Remove(doc)
		if last := len(p.attrs) - 1; p.attrs[i].docs.IsEmpty() {
			p.attrs[i] = p.attrs[last]
			p.attrs = p.attrs[:last]
		}
		return
	}
}

// formatNumber prints a number as a facet value: whole numbers without point.
func formatNumber(f float64) string {
	return strconv.FormatFloat(f, 'f', -1, 64)
}
