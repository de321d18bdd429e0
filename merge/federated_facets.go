package merge

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/miroir-search/miroir/rawjson"
)

// partFacets is what one index says of its facets: raw JSON objects, or nil where it was not asked.
type partFacets struct{ distribution, stats []byte }

// facetsOf joins what the legs of one index say of its facets.
func facetsOf(part *FederatedPart, legs []leg, total int64) (partFacets, error) {
	m := newMerger()
	defer m.release()
	for i := range legs {
		m.addLeg(legs[i].body)
		m.legs[i].facets, m.legs[i].stats = legs[i].facets, legs[i].stats
	}
	spec := &SearchSpec{FacetOrder: part.FacetOrder, MaxValuesPerFacet: part.MaxValuesPerFacet}
	text, err := m.appendFacets([]byte{'{'}, spec, total)
	if err != nil {
		return partFacets{}, err
	}
	text = append(slices.Delete(text, 1, 2), '}') // the comma
	var f partFacets
	f.distribution, _ = rawjson.Get(text, "facetDistribution")
	f.stats, _ = rawjson.Get(text, "facetStats")
	return f, nil
}

// facetsByIndex takes the facets of the one index that a leg was asked for.
func (l *leg) facetsByIndex(value []byte) {
	var it rawjson.Members
	for it.Init(value); it.Next(); {
		l.facets, _ = rawjson.Get(it.Value, "distribution")
		l.stats, _ = rawjson.Get(it.Value, "stats")
	}
}

// appendPartFacets writes the facets of all indexes, each for itself or joined.
func appendPartFacets(out []byte, spec *FederatedSpec, facets []partFacets) ([]byte, error) {
	if !slices.ContainsFunc(facets, func(f partFacets) bool { return f.distribution != nil }) {
		return out, nil
	}
	if spec.MergeFacets {
		return appendMergedFacets(out, spec, facets)
	}
	out = append(out, `,"facetsByIndex":{`...)
	first := true
	for i, f := range facets {
		if f.distribution == nil {
			continue
		}
		if !first {
			out = append(out, ',')
		}
		first = false
		out = append(rawjson.AppendString(out, spec.Parts[i].IndexUID), `:{"distribution":`...)
		out = append(append(append(out, f.distribution...), `,"stats":`...), f.stats...)
		out = append(out, '}')
	}
	return append(out, '}'), nil
}

// mergedFacet is one facet over several indexes. A value is what it is called, here.
type mergedFacet struct {
	name     string
	order    Order
	values   counts
	min, max []byte
}

// appendMergedFacets adds the counts of all indexes value by value.
func appendMergedFacets(out []byte, spec *FederatedSpec, facets []partFacets) ([]byte, error) {
	byName := map[string]*mergedFacet{}
	facet := func(key []byte, part *FederatedPart) *mergedFacet {
		f := byName[name(key)]
		if f == nil {
			f = &mergedFacet{name: name(key)}
			if part.FacetOrder != nil {
				f.order = part.FacetOrder(f.name)
			}
			byName[f.name] = f
		}
		return f
	}
	for i := range facets {
		var it rawjson.Members
		for it.Init(facets[i].distribution); facets[i].distribution != nil && it.Next(); {
			f := facet(it.Key, &spec.Parts[i])
			var of rawjson.Members
			for of.Init(it.Value); of.Next(); {
				n, _ := rawjson.ParseInt(of.Value) // we have written it
				f.values.add(name(of.Key), n)
			}
		}
		for it.Init(facets[i].stats); facets[i].stats != nil && it.Next(); {
			facet(it.Key, &spec.Parts[i]).widen(it.Value)
		}
	}
	all := make([]*mergedFacet, 0, len(byName))
	for _, f := range byName {
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b *mergedFacet) int { return strings.Compare(a.name, b.name) })
	out = append(out, `,"facetDistribution":{`...)
	for i, f := range all {
		if i > 0 {
			out = append(out, ',')
		}
		out = f.append(append(rawjson.AppendString(out, f.name), ':'), spec.MergedValues)
	}
	out = append(out, `},"facetStats":{`...)
	first := true
	for _, f := range all {
		if f.min == nil {
			continue
		}
		if !first {
			out = append(out, ',')
		}
		first = false
		out = append(append(rawjson.AppendString(out, f.name), `:{"min":`...), f.min...)
		out = append(append(append(out, `,"max":`...), f.max...), '}')
	}
	return append(out, '}'), nil
}

// widen takes the statistics of one more index in.
func (f *mergedFacet) widen(stats []byte) {
	low, _ := rawjson.Get(stats, "min")
	high, _ := rawjson.Get(stats, "max")
	if low == nil || high == nil {
		return
	}
	if f.min == nil || lessNumber(low, f.min) {
		f.min = low
	}
	if f.max == nil || lessNumber(f.max, high) {
		f.max = high
	}
}

// append writes the values, at most k of them (below 0: all).
func (f *mergedFacet) append(out []byte, k int) []byte {
	names := f.values.names
	slices.SortStableFunc(names, func(a, b string) int {
		if f.order == Count {
			return cmp.Compare(f.values.values[b], f.values.values[a])
		}
		return strings.Compare(a, b)
	})
	if k >= 0 && len(names) > k {
		names = names[:k]
	}
	out = append(out, '{')
	for i, v := range names {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(rawjson.AppendString(out, v), ':')
		out = strconv.AppendInt(out, f.values.values[v], 10)
	}
	return append(out, '}')
}
