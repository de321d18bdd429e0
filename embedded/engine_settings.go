package embedded

import (
	"slices"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/embedded/engine"
)

// engineSettings translates the settings of the API for the engine.
func (c *core) engineSettings(s *api.Settings) engine.Settings {
	out := engine.Settings{
		Even:                c.opt.Even,
		DisplayedAttributes: notWildcard(s.DisplayedAttributes), SearchableAttributes: notWildcard(s.SearchableAttributes),
		SortableAttributes: s.SortableAttributes, RankingRules: s.RankingRules, StopWords: s.StopWords,
		NonSeparatorTokens: s.NonSeparatorTokens, SeparatorTokens: s.SeparatorTokens, Dictionary: s.Dictionary,
		Synonyms: s.Synonyms, ProximityByAttribute: s.ProximityPrecision == "byAttribute",
		Typo: engine.TypoSettings{
			Enabled: s.TypoTolerance.Enabled, OneTypo: int(s.TypoTolerance.MinWordSizeForTypos.OneTypo),
			TwoTypos:       int(s.TypoTolerance.MinWordSizeForTypos.TwoTypos),
			DisableOnWords: s.TypoTolerance.DisableOnWords, DisableOnAttributes: s.TypoTolerance.DisableOnAttributes,
			DisableOnNumbers: s.TypoTolerance.DisableOnNumbers,
		},
		MaxValuesPerFacet: s.Faceting.MaxValuesPerFacet, SortFacetValuesBy: s.Faceting.SortFacetValuesBy,
		MaxTotalHits: s.Pagination.MaxTotalHits, FacetSearch: s.FacetSearch, PrefixSearch: s.PrefixSearch == "indexingTime",
	}
	if s.DistinctAttribute != nil {
		out.DistinctAttribute = *s.DistinctAttribute
	}
	for _, r := range s.FilterableAttributes {
		if r.Plain() {
			out.FilterableAttributes = append(out.FilterableAttributes, engine.PlainFilterable(r.Field))
			continue
		}
		out.FilterableAttributes = append(out.FilterableAttributes, engine.FilterableRule{Patterns: r.Patterns,
			FacetSearch: r.FacetSearch, Equality: r.Equality, Comparison: r.Comparison})
	}
	for _, r := range s.LocalizedAttributes {
		out.LocalizedAttributes = append(out.LocalizedAttributes, engine.LocalizedRule{Patterns: r.AttributePatterns, Locales: r.Locales})
	}
	if len(s.Embedders) > 0 {
		out.Embedders = make(map[string]engine.Embedder, len(s.Embedders))
	}
	for name, e := range s.Embedders {
		size, _ := dimensions(e)
		ee := engine.Embedder{Dimensions: size, BinaryQuantized: e.BinaryQuantized.Value()}
		if d, ok := e.Distribution.Get(); ok {
			ee.Distribution = &engine.Distribution{Mean: d.Mean, Sigma: d.Sigma}
		}
		out.Embedders[name] = ee
	}
	return out
}

func notWildcard(list []string) []string {
	if slices.Contains(list, "*") {
		return nil
	}
	return list
}
