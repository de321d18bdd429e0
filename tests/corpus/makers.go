package corpus

// makers are all features. A round of questions has share of each.
var makers = []maker{
	{"placeholder", 2, nil, placeholder},
	{"keyword", 5, nil, keyword},
	{"typo", 5, nil, typo},
	{"prefix", 4, nil, prefix},
	{"ngram", 3, nil, ngram},
	{"synonyms", 3, func(g *generator) bool { return len(g.variant.Synonyms) > 0 }, synonyms},
	{"stop-words", 2, func(g *generator) bool { return len(g.variant.StopWords) > 0 }, stopWords},
	{"phrase", 3, nil, phrase},
	{"negative", 3, nil, negative},
	{"matching", 3, nil, matching},
	{"frequency", 1, nil, frequency},
	{"scores", 5, nil, scores},
	{"threshold", 2, nil, threshold},
	{"search-on", 3, nil, searchOn},
	{"locales", 1, nil, locales},
	{"distinct", 3, nil, distinct},
	{"paging", 4, nil, paging},
	{"filter", 8, nil, filtered},
	{"contains", 1, nil, contains},
	{"geo-filter", 4, hasGeo, geoFilter},
	{"facets", 5, nil, facets},
	{"facet-search", 3, nil, facetSearch},
	{"sort", 4, nil, sorted},
	{"geo-sort", 4, hasGeo, geoSort},
	{"formatting", 6, nil, formatting},
	{"retrieve", 3, nil, retrieve},
	{"combined", 4, nil, combined},
	{"hybrid", 5, hasVectors, hybrid},
	{"semantic", 4, hasVectors, semantic},
	{"similar", 4, hasVectors, similar},
	{"multi-search", 2, nil, multiSearch},
	{"federated", 4, nil, federated},
	{"documents", 5, nil, documents},
	{"get", 3, nil, getForm},
	{"errors", 8, nil, mistakes},
}

func hasGeo(g *generator) bool     { return g.set.Geo }
func hasVectors(g *generator) bool { return g.variant.Dimensions > 0 }
