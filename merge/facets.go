package merge

import (
	"bytes"
	"cmp"
	"errors"
	"slices"
	"strconv"

	"github.com/miroir-search/miroir/rawjson"
)

// textCandidates is up to how many candidates a node lists the numbers of a facet in text order ("10" before "2");
// above, it lists them in number order.
const textCandidates = 3000

// facetPart is what one leg says of one facet.
type facetPart struct {
	name     []byte // raw
	minus    bool   // its counts are taken off
	values   []byte // raw object; nil in statistics
	min, max []byte // raw numbers; nil in distributions
	leg      int
}

// facetValue is one value of one facet while the legs' counts are added.
type facetValue struct {
	raw    []byte // the spelling, as the raw key
	filed  []byte // normalized; of a number, its text
	folded []byte // without accents; set where facet search needs it
	num    float64
	count  int64
	number bool
}

// facetMerger is the part of a merger that facets need.
type facetMerger struct {
	parts, stats []facetPart
	values       []facetValue
}

func (f *facetMerger) reset() {
	clear(f.parts)
	clear(f.stats)
	clear(f.values)
	f.parts, f.stats, f.values = f.parts[:0], f.stats[:0], f.values[:0]
}

// appendFacets appends `facetDistribution` and `facetStats`. total is the number of candidates over all legs.
func (m *merger) appendFacets(out []byte, spec *SearchSpec, total int64) ([]byte, error) {
	f := &m.facets
	if err := m.collectFacets(spec.Count); err != nil {
		return nil, err
	}
	byName := func(a, b facetPart) int {
		if c := compareNames(a.name, b.name); c != 0 {
			return c
		}
		return cmp.Compare(a.leg, b.leg)
	}
	slices.SortFunc(f.parts, byName)
	slices.SortFunc(f.stats, byName)

	out = append(out, `,"facetDistribution":{`...)
	for from := 0; from < len(f.parts); {
		to := sameName(f.parts, from)
		if from > 0 {
			out = append(out, ',')
		}
		out = append(append(append(out, '"'), f.parts[from].name...), `":{`...)
		var err error
		if out, err = m.appendValues(out, spec, f.parts[from:to], total); err != nil {
			return nil, err
		}
		out = append(out, '}')
		from = to
	}
	out = append(out, `},"facetStats":{`...)
	for from := 0; from < len(f.stats); {
		to := sameName(f.stats, from)
		if from > 0 {
			out = append(out, ',')
		}
		out = appendStats(out, f.stats[from:to])
		from = to
	}
	return append(out, '}'), nil
}

// hasFacets reports whether there are facets at all.
func (m *merger) hasFacets(from *FacetSource) bool {
	return from != nil || len(m.legs) == 0 || slices.ContainsFunc(m.legs, func(l leg) bool { return l.facets != nil })
}

// collectFacets notes the facets of all legs, or of what is counted instead. Its documents are put with the hits that
// were left out.
func (m *merger) collectFacets(from *FacetSource) error {
	if from != nil {
		m.legs = m.legs[:0]
		m.addLegs(from.Plus)
		m.addLegs(from.Minus)
		m.rejects = append(m.rejects[:0], from.Less...)
		if err := m.readTails(); err != nil {
			return err
		}
	}
	for i := range m.legs {
		if err := m.facets.collect(&m.legs[i], from != nil && i >= len(from.Plus)); err != nil {
			return &LegError{Leg: i, Err: err}
		}
	}
	return nil
}

// sameName returns the end of the parts that speak of the same facet as the one at from.
func sameName(parts []facetPart, from int) int {
	to := from + 1
	for to < len(parts) && compareNames(parts[from].name, parts[to].name) == 0 {
		to++
	}
	return to
}

// collect notes all facets of a leg but ours.
func (f *facetMerger) collect(l *leg, minus bool) error {
	if l.facets != nil {
		var it rawjson.Members
		for it.Init(l.facets); it.Next(); {
			if !reserved(it.Key) {
				f.parts = append(f.parts, facetPart{name: it.Key, values: it.Value, leg: int(l.index), minus: minus})
			}
		}
		if it.Err != nil {
			return it.Err
		}
	}
	if l.stats == nil {
		return nil
	}
	var it rawjson.Members
	for it.Init(l.stats); it.Next(); {
		if reserved(it.Key) {
			continue
		}
		part := facetPart{name: it.Key, leg: int(l.index), minus: minus}
		var bounds rawjson.Members
		for bounds.Init(it.Value); bounds.Next(); {
			switch string(bounds.Key) {
			case "min":
				part.min = bounds.Value
			case "max":
				part.max = bounds.Value
			}
		}
		if bounds.Err != nil {
			return bounds.Err
		}
		if part.min != nil && part.max != nil {
			f.stats = append(f.stats, part)
		}
	}
	return it.Err
}

func reserved(key []byte) bool { return rawjson.KeyHasPrefix(key, ReservedPrefix) }

// appendStats appends the smallest minimum and the largest maximum, in the text of the leg that has it.
func appendStats(out []byte, parts []facetPart) []byte {
	least, most := parts[0].min, parts[0].max
	for _, p := range parts[1:] {
		if lessNumber(p.min, least) {
			least = p.min
		}
		if lessNumber(most, p.max) {
			most = p.max
		}
	}
	out = append(append(append(out, '"'), parts[0].name...), `":{"min":`...)
	out = append(append(out, least...), `,"max":`...)
	return append(append(out, most...), '}')
}

// lessNumber compares by value; of different texts for one value, by text, so that the order of legs is no matter.
func lessNumber(a, b []byte) bool {
	x, y := number(a), number(b)
	return x < y || x == y && bytes.Compare(a, b) < 0
}

// appendValues appends the values of one facet: counts added, listed and cut the way one node would.
func (m *merger) appendValues(out []byte, spec *SearchSpec, parts []facetPart, total int64) ([]byte, error) {
	f := &m.facets
	f.values = f.values[:0]
	numeric := false
	for _, p := range parts {
		seen, err := m.readValues(p)
		if err != nil {
			return nil, &LegError{Leg: p.leg, Err: err}
		}
		numeric = numeric || seen
	}
	order := Alpha
	if spec.FacetOrder != nil {
		order = spec.FacetOrder(name(parts[0].name))
	}
	values, err := m.adjusted(f.add(), name(parts[0].name), spec.Count)
	if err != nil {
		return nil, err
	}
	byNumber := total > textCandidates || spec.CapTotals && numeric
	values = list(values, order, byNumber, spec.MaxValuesPerFacet)
	for i := range values {
		v := &values[i]
		if i > 0 {
			out = append(out, ',')
		}
		out = append(append(append(out, '"'), v.raw...), `":`...)
		out = strconv.AppendInt(out, v.count, 10)
	}
	return out, nil
}

// adjusted takes the values of hits that were left out off the counts, adds those of documents that count once more, and
// drops values that nothing is left of.
func (m *merger) adjusted(values []facetValue, facet string, from *FacetSource) ([]facetValue, error) {
	count := func(docs [][]byte, by int64) error {
		for _, doc := range docs {
			var failed error
			err := eachValue(doc, facet, func(raw []byte) {
				v, err := m.filedAs(raw)
				failed = errors.Join(failed, err)
				if i, found := slices.BinarySearchFunc(values, v, func(a, b facetValue) int { return compareFiled(&a, &b) }); found {
					values[i].count += by
				}
			})
			if err = errors.Join(err, failed); err != nil {
				return err
			}
		}
		return nil
	}
	if len(m.rejects) == 0 && from == nil {
		return values, nil
	}
	err := count(m.rejects, -1)
	if err == nil && from != nil {
		err = count(from.More, 1)
	}
	return slices.DeleteFunc(values, func(v facetValue) bool { return v.count <= 0 }), err
}

// filedAs is a document's scalar as a facet value.
func (m *merger) filedAs(raw []byte) (facetValue, error) {
	class, num, text, err := m.filedValue(raw)
	v := facetValue{number: class == classNumber, num: num, filed: text}
	if v.number {
		v.filed = strconv.AppendFloat(nil, num, 'f', -1, 64)
	}
	return v, err
}

// readValues appends one leg's values and reports whether that leg lists numbers in number order where text order
// would differ: then it has more candidates than a capped total can tell.
func (m *merger) readValues(p facetPart) (numeric bool, err error) {
	f := &m.facets
	low, high, hasNumbers := f.bounds(p)
	var last *facetValue
	from := len(f.values)
	var it rawjson.Members
	for it.Init(p.values); it.Next(); {
		v := facetValue{raw: it.Key}
		if n, ok := rawjson.ParseInt(it.Value); ok {
			if v.count = n; p.minus {
				v.count = -n
			}
		}
		if hasNumbers {
			v.num, v.number = facetNumber(it.Key)
			v.number = v.number && low <= v.num && v.num <= high
		}
		if v.number {
			v.filed = v.raw
			if len(f.values) > from {
				last = &f.values[len(f.values)-1]
			}
			if last != nil && last.number && last.num < v.num && bytes.Compare(last.raw, v.raw) > 0 {
				numeric = true
			}
		} else if err := m.file(&v); err != nil {
			return false, err
		}
		f.values = append(f.values, v)
	}
	return numeric, it.Err
}

// bounds returns the range of a leg's numbers in a facet; without statistics the facet has none there, and values
// that look like numbers are strings.
func (f *facetMerger) bounds(p facetPart) (low, high float64, ok bool) {
	i, found := slices.BinarySearchFunc(f.stats, p, func(s, p facetPart) int {
		if c := compareNames(s.name, p.name); c != 0 {
			return c
		}
		return cmp.Compare(s.leg, p.leg)
	})
	if !found {
		return 0, 0, false
	}
	return number(f.stats[i].min), number(f.stats[i].max), true
}

// facetNumber reads a key that is a number in the one text nodes give it: shortest, without exponent.
func facetNumber(key []byte) (float64, bool) {
	if len(key) == 0 || key[0] != '-' && (key[0] < '0' || key[0] > '9') {
		return 0, false
	}
	f, err := strconv.ParseFloat(string(key), 64)
	if err != nil {
		return 0, false
	}
	var buf [32]byte
	return f, string(strconv.AppendFloat(buf[:0], f, 'f', -1, 64)) == string(key)
}

// file gives a string value its normalized form.
func (m *merger) file(v *facetValue) error {
	text := v.raw
	if bytes.IndexByte(text, '\\') >= 0 {
		s, err := rawjson.Unquote(text)
		if err != nil {
			return err
		}
		text = []byte(s)
	}
	if lower(text) {
		v.filed = text
		return nil
	}
	from := len(m.text)
	m.text = appendNormalized(m.text, text)
	v.filed = m.text[from:len(m.text):len(m.text)]
	return nil
}

// lower reports whether a text surely is its own normalized form.
func lower(text []byte) bool {
	if len(text) > maxFacetBytes || len(text) > 0 && (text[0] <= ' ' || text[len(text)-1] <= ' ') {
		return false
	}
	for _, c := range text {
		if c >= 0x80 || 'A' <= c && c <= 'Z' {
			return false
		}
	}
	return true
}

// add sorts the values, numbers first, and joins those that a node files as one. Of several spellings the one most
// documents use is shown, then the first in byte order: which document came first is not known here.
func (f *facetMerger) add() []facetValue {
	v := f.values
	slices.SortFunc(v, func(a, b facetValue) int {
		if c := compareFiled(&a, &b); c != 0 {
			return c
		}
		return bytes.Compare(a.raw, b.raw)
	})
	out := v[:0]
	for from := 0; from < len(v); {
		joined := v[from]
		joined.count = 0
		best := int64(-1)
		to := from
		for to < len(v) && compareFiled(&v[from], &v[to]) == 0 {
			spelled := int64(0)
			first := to
			for to < len(v) && compareFiled(&v[first], &v[to]) == 0 && bytes.Equal(v[first].raw, v[to].raw) {
				spelled += v[to].count
				to++
			}
			if joined.count += spelled; spelled > best {
				best, joined.raw = spelled, v[first].raw
			}
		}
		out = append(out, joined)
		from = to
	}
	return out
}

// compareFiled puts numbers first, by value, then strings by normalized bytes.
func compareFiled(a, b *facetValue) int {
	if a.number != b.number {
		if a.number {
			return -1
		}
		return 1
	}
	if a.number {
		if c := cmp.Compare(a.num, b.num); c != 0 {
			return c
		}
	}
	return bytes.Compare(a.filed, b.filed)
}

// list orders joined values and cuts them at most to k (0: no bound). Numbers are cut first; a node that walks
// its index in value order or by count then no longer bounds the strings once the numbers have filled the list, and
// that is kept.
func list(v []facetValue, order Order, byNumber bool, k int) []facetValue {
	numbers := 0
	for numbers < len(v) && v[numbers].number {
		numbers++
	}
	byCount := func(a, b facetValue) int {
		if c := cmp.Compare(b.count, a.count); c != 0 {
			return c
		}
		return -compareFiled(&a, &b)
	}
	switch {
	case order == Count:
		slices.SortFunc(v[:numbers], byCount)
		slices.SortFunc(v[numbers:], byCount)
	case !byNumber:
		slices.SortFunc(v[:numbers], func(a, b facetValue) int { return bytes.Compare(a.raw, b.raw) })
	}
	if k <= 0 || len(v) <= k {
		return v
	}
	if numbers >= k && (order == Count || byNumber) {
		return append(v[:k], v[numbers:]...)
	}
	return v[:k]
}
