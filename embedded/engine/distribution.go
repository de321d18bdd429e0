package engine

import (
	"fmt"
	"sort"
	"strings"

	"github.com/RoaringBitmap/roaring/v2"
)

// facetFields resolves the facets of a query to fields.
func (c *core) facetFields(patterns []string) ([]string, error) {
	if len(patterns) == 0 {
		return nil, nil
	}
	for _, p := range patterns {
		if err := c.checkFacet(p); err != nil {
			return nil, err
		}
	}
	set := make(map[string]struct{})
	for _, a := range c.fields.attrs {
		if !c.cfg.Filterable(a.name) || a.facet != fullMatch {
			continue
		}
		for _, p := range patterns {
			if matchPattern(p, a.name) == fullMatch || matchPlain(p, a.name) == fullMatch {
				set[a.name] = struct{}{}
			}
		}
	}
	return sortedKeys(set), nil
}

// checkFacet refuses a facet pattern that, read as a name, no filterable rule
// matches.
func (c *core) checkFacet(pattern string) error {
	if r, i := c.cfg.FilterableRuleOf(pattern); i >= 0 {
		if r.filterable() {
			return nil
		}
		return &Error{Code: "invalid_search_facets", Message: fmt.Sprintf("Invalid facet distribution: Attribute `%s` matched rule #%d in filterableAttributes, but this rule does not enable filtering.\nHint: enable filtering in rule #%d by modifying the features.filter object\nHint: prepend another rule matching `%s` with appropriate filter features before rule #%d", pattern, i, i, pattern, i)}
	}
	valid := c.cfg.filterablePatterns((*FilterableRule).filterable)
	message := fmt.Sprintf("Invalid facet distribution: Pattern `%s` is not filterable. This index does not have configured filterable attributes.", pattern)
	if len(valid) > 0 {
		message = fmt.Sprintf("Invalid facet distribution: Pattern `%s` is not filterable. Available filterable attributes patterns are: `%s`.", pattern, strings.Join(valid, ", "))
	}
	return &Error{Code: "invalid_search_facets", Message: message}
}

// byCount says whether the values of a field are shown by descending count.
func (c *core) byCount(field string) bool {
	order, ok := c.cfg.SortFacetValuesBy[field]
	if !ok {
		order = c.cfg.SortFacetValuesBy["*"]
	}
	return order == "count"
}

// distribution counts the values of fields among the candidates.
func (c *core) distribution(fields []string, candidates *roaring.Bitmap) (FacetDistribution, map[string]FacetStats) {
	dist := make(FacetDistribution, 0, len(fields))
	stats := make(map[string]FacetStats)
	for _, name := range fields {
		counts := FacetCounts{Field: name, Values: []FacetValue{}}
		if f, id := c.facetOf(name); f != nil {
			n := f.count(c.docs, id, candidates)
			counts.Values = c.facetValues(f, id, n, candidates, c.byCount(name))
			if s, ok := f.stats(n); ok {
				stats[name] = s
			}
		}
		dist = append(dist, counts)
	}
	return dist, stats
}

// count returns how many candidates hold each value, by value number.
func (f *facet) count(docs []*document, field uint16, candidates *roaring.Bitmap) []uint32 {
	n := make([]uint32, len(f.values))
	if size := candidates.GetCardinality(); len(f.values) <= 256 || uint64(len(f.values)) < size/16 {
		for id, v := range f.values {
			if v != nil {
				n[id] = uint32(v.docs.AndCardinality(candidates))
			}
		}
		return n
	}
	candidates.Iterate(func(doc uint32) bool {
		if d := docs[doc].facet(field); d != nil {
			for _, id := range d.values {
				n[id]++
			}
		}
		return true
	})
	return n
}

func (f *facet) stats(n []uint32) (FacetStats, bool) {
	var s FacetStats
	found := false
	for id, v := range f.values {
		if v == nil || !v.isNum || n[id] == 0 {
			continue
		}
		if !found {
			s, found = FacetStats{v.num, v.num}, true
		}
		s.Min, s.Max = min(s.Min, v.num), max(s.Max, v.num)
	}
	return s, found
}

// fewCandidates is up to how many candidates a server counts values one
// document after the other, and so orders numbers by their text.
const fewCandidates = 3000

// facetValues lists the values with a count, in the order to show them, no
// more than the settings allow.
func (c *core) facetValues(f *facet, field uint16, n []uint32, candidates *roaring.Bitmap, byCount bool) []FacetValue {
	o := f.order()
	few := candidates.GetCardinality() <= fewCandidates
	pickCounted := func(ids []uint32) []uint32 {
		out := make([]uint32, 0, len(ids))
		for _, id := range ids {
			if n[id] > 0 {
				out = append(out, id)
			}
		}
		return out
	}
	nums, strs := pickCounted(o.nums), pickCounted(o.strs)
	switch {
	case byCount:
		// Equal counts: the last value of the order first.
		for _, ids := range [][]uint32{nums, strs} {
			sort.Slice(ids, func(i, j int) bool {
				if n[ids[i]] != n[ids[j]] {
					return n[ids[i]] > n[ids[j]]
				}
				return o.rank[ids[i]] > o.rank[ids[j]]
			})
		}
	case few:
		text := make(map[uint32]string, len(nums))
		for _, id := range nums {
			text[id] = formatNumber(f.values[id].num)
		}
		sort.Slice(nums, func(i, j int) bool { return text[nums[i]] < text[nums[j]] })
	}
	ids := append(nums, strs...)
	if k := c.cfg.MaxValuesPerFacet; len(ids) > k {
		ids = ids[:k]
	}
	out := make([]FacetValue, 0, len(ids))
	at := make(map[string]int, len(nums)) // a string that reads like a number takes its place
	for _, id := range ids {
		v := FacetValue{Value: c.spelling(f.values[id], field, candidates, few && !byCount), Count: uint64(n[id])}
		if i, ok := at[v.Value]; ok {
			out[i] = v
			continue
		}
		if f.values[id].isNum {
			at[v.Value] = len(out)
		}
		out = append(out, v)
	}
	return out
}

// spelling is how a facet value is shown: as the first document wrote it, of
// the candidates or of all.
func (c *core) spelling(v *facetValue, field uint16, candidates *roaring.Bitmap, ofCandidates bool) string {
	if v.isNum {
		return formatNumber(v.num)
	}
	if !v.mixed {
		return v.shown
	}
	docs := v.docs
	if ofCandidates {
		docs = roaring.And(docs, candidates)
	}
	if docs.IsEmpty() {
		return v.shown
	}
	if s, ok := c.originalValue(docs.Minimum(), c.fields.attrs[field].name, v.norm); ok {
		return s
	}
	return v.shown
}

// originalValue finds how a document wrote the value of a field.
func (c *core) originalValue(doc uint32, field, norm string) (string, bool) {
	v, err := parseJSON(c.docs[doc].raw)
	if err != nil {
		return "", false
	}
	found, ok := "", false
	try := func(v *jsonValue) {
		if !ok && (v.kind == jsonString || v.kind == jsonBool) && cutFacet(normalizeFacet(v.text)) == norm {
			found, ok = v.text, true
		}
	}
	for i, k := range v.keys {
		if !nestedIn(field, k) {
			continue
		}
		if k == field {
			try(&v.items[i])
		}
		seek(&v.items[i], k, func(n string, _ bool, v *jsonValue) bool {
			if n == field {
				try(v)
			}
			return nestedIn(field, n)
		})
	}
	return found, ok
}

// MarshalJSON keeps the order of fields and values.
func (d FacetDistribution) MarshalJSON() ([]byte, error) {
	b := []byte{'{'}
	for i, f := range d {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendString(b, f.Field), ":{"...)
		for j, v := range f.Values {
			if j > 0 {
				b = append(b, ',')
			}
			b = append(appendString(b, v.Value), ':')
			b = fmt.Appendf(b, "%d", v.Count)
		}
		b = append(b, '}')
	}
	return append(b, '}'), nil
}
