package embedded

import (
	"slices"
	"strconv"

	"github.com/RoaringBitmap/roaring/v2"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/embedded/engine"
)

type indexFacets struct {
	Distribution engine.FacetDistribution `json:"distribution"`
	Stats        map[string]statsView     `json:"stats"`
}

// appendFacets writes the facets, by index or merged.
func (fed *federation) appendFacets(b []byte, f *api.Federation) []byte {
	facets := make(map[string]*engine.Result)
	for uid, in := range fed.indexes {
		if in.facets != nil {
			facets[uid] = in.facets
		}
	}
	if len(facets) == 0 {
		return b
	}
	if f.MergeFacets == nil {
		b = append(member(b, "facetsByIndex"), '{')
		for _, uid := range sortedKeys(facets) {
			b = jsonMember(b, uid, indexFacets{facets[uid].FacetDistribution, floatStats(facets[uid].FacetStats)})
		}
		return append(b, '}')
	}
	limit := api.DefaultMaxValuesPerFacet
	if f.MergeFacets.MaxValuesPerFacet != nil {
		limit = *f.MergeFacets.MaxValuesPerFacet
	}
	dist, stats := mergeFacets(facets, limit)
	b = jsonMember(b, "facetDistribution", dist)
	return jsonMember(b, "facetStats", floatStats(stats))
}

// mergeFacets adds the counts of all indexes, value by value, in alphabetical order.
func mergeFacets(all map[string]*engine.Result, limit int) (engine.FacetDistribution, map[string]engine.FacetStats) {
	counts, stats := make(map[string]map[string]uint64), make(map[string]engine.FacetStats)
	for _, uid := range sortedKeys(all) {
		for _, facet := range all[uid].FacetDistribution {
			if counts[facet.Field] == nil {
				counts[facet.Field] = make(map[string]uint64)
			}
			for _, v := range facet.Values {
				counts[facet.Field][v.Value] += v.Count
			}
		}
		for field, s := range all[uid].FacetStats {
			if old, there := stats[field]; there {
				s = engine.FacetStats{Min: min(old.Min, s.Min), Max: max(old.Max, s.Max)}
			}
			stats[field] = s
		}
	}
	dist := engine.FacetDistribution{}
	for _, field := range sortedKeys(counts) {
		facet := engine.FacetCounts{Field: field}
		for _, value := range sortedFacetValues(counts[field]) {
			if len(facet.Values) < limit {
				facet.Values = append(facet.Values, engine.FacetValue{Value: value, Count: counts[field][value]})
			}
		}
		dist = append(dist, facet)
	}
	return dist, stats
}

// sortedFacetValues puts numbers before texts.
func sortedFacetValues(values map[string]uint64) []string {
	names := sortedKeys(values)
	slices.SortStableFunc(names, func(a, b string) int {
		_, errA := strconv.ParseFloat(a, 64)
		_, errB := strconv.ParseFloat(b, 64)
		switch {
		case errA == nil && errB != nil:
			return -1
		case errA != nil && errB == nil:
			return 1
		default:
			return 0
		}
	})
	return names
}

// checkFacets refuses facets that an index does not have.
func (fed *federation) checkFacets(in *fedIndex) *api.Error {
	for _, wanted := range fed.order.FacetsByIndex {
		if wanted.IndexUID != in.uid || wanted.Facets == nil {
			continue
		}
		if _, _, err := in.x.engine.Facets(wanted.Facets, roaring.New()); err != nil {
			return insideQuery(in.first, engineError("", err).Prefixed("Inside `.federation.facetsByIndex."+in.uid+"`: "))
		}
		in.wanted = wanted.Facets
	}
	return nil
}

// countFacets counts the facets that are wanted, over what all queries of an index found.
func (fed *federation) countFacets() *api.Error {
	for _, in := range fed.indexes {
		if in.wanted == nil {
			continue
		}
		dist, stats, err := in.x.engine.Facets(in.wanted, in.candidates)
		if err != nil { // the settings have changed meanwhile
			return insideQuery(in.first, engineError("", err).Prefixed("Inside `.federation.facetsByIndex."+in.uid+"`: "))
		}
		in.facets = &engine.Result{FacetDistribution: dist, FacetStats: stats}
	}
	return nil
}
