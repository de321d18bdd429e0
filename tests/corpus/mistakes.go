package corpus

import (
	"encoding/json"
	"fmt"
	"strings"
)

// mistakes are requests that are refused, each with its own error.
func mistakes(g *generator) Question {
	switch g.IntN(8) {
	case 0, 1:
		return g.search(members{"filter", g.brokenFilter()})
	case 2:
		return g.search(members{"sort", g.brokenSort()})
	case 3, 4:
		return g.wrongType()
	case 5:
		return g.wrongValue()
	case 6:
		return g.wrongDocuments()
	}
	return g.wrongElsewhere()
}

func (g *generator) brokenFilter() any {
	good := g.condition()
	f := g.set.Facets[0]
	return pick(g, []any{
		good + " AND", "OR " + good, "(" + good, good + ")", f + " = ", "= 1", f + " == 1", f + " 1", f, "nothing = 1", "nothing EXISTS AND " + good,
		f + " IN [a, b", f + " IN a", f + " = 'a", f + ` = "a`, f + " > abc", g.set.Numbers[0] + " 1 TO", g.set.Numbers[0] + " TO 2", f + " IS", f + " IS NOT", f + " NOT", "NOT",
		"_geoRadius(1, 2)", "_geoRadius(1, 2, 3", "_geoRadius(a, 2, 3)", "_geoRadius(100, 2, 3)", "_geoBoundingBox([1, 2], [3])", "_geoBoundingBox([1,2],[3,4])", "_geoPoint(1, 2)", "_geo = 1",
		"_geoDistance < 3", "_geoPolygon([1,2],[3,4])", []any{[]any{[]any{good}}}, []any{1}, 12, map[string]any{"a": 1}, []any{good, ""}, true, "_rankingScore > 1",
		f + " STARTS WITH", f + " CONTAINS a", "AND", "TO", f + " = AND", f + " = _geoRadius", "TO = 1", strings.Repeat("(", 30) + good, f + " = \"\\\"", f + " != ", good + " " + good, f + " >< 1",
		"_geoRadius(1, 2, 3) = 1", f + " = 1 OR OR " + good, f + ".x = 1", "é = 1", f + " = 'a' 'b'", f + " exists", f + " in [a]", f + " NOT IN", f + " IN []", f + " IN [,]", f + " IN [a,]", "_vectors EXISTS", "_vectors.own EXISTS",
	})
}

func (g *generator) brokenSort() any {
	f := g.set.Sorts[0]
	return pick(g, []any{
		[]string{"nothing:asc"}, []string{f}, []string{f + ":up"}, []string{f + ":asc", "nothing:desc"}, f + ":asc", 1, []any{1}, []string{""}, []string{":asc"},
		[]string{"_geoPoint(1, 2)"}, []string{"_geoPoint(1):asc"}, []string{"_geoPoint(100, 2):asc"}, []string{"_geoPoint(1, 200):asc"}, []string{"_geoPoint(a, b):asc"}, []string{"_geoRadius(1, 2, 3):asc"},
		[]string{"_geoPoint(1, 2):asc", "nothing:asc"}, []string{"_geo:asc"}, []string{"_geoDistance:asc"}, []string{f + " :asc"}, []string{f + ":ASC"}, []string{f + ":asc:desc"}, []string{g.set.Key + ":asc"},
	})
}

var typed = []string{"q", "offset", "limit", "page", "hitsPerPage", "attributesToRetrieve", "attributesToCrop", "cropLength", "attributesToHighlight", "showMatchesPosition",
	"showRankingScore", "showRankingScoreDetails", "facets", "highlightPreTag", "cropMarker", "matchingStrategy", "attributesToSearchOn", "rankingScoreThreshold", "locales",
	"distinct", "vector", "hybrid", "retrieveVectors", "sort", "filter"}

func (g *generator) wrongType() Question {
	values := []any{json.RawMessage("null"), true, 1, -1, 1.5, "text", "", []any{}, []any{1}, []any{"a", 1}, map[string]any{}, json.RawMessage("99999999999999999999"), json.RawMessage("1e3")}
	return g.search(members{pick(g, typed), pick(g, values)})
}

func (g *generator) wrongValue() Question {
	m := pick(g, []members{
		{"lol", 1}, {"Q", "a"}, {"query", "a"}, {"facets", []string{"nothing"}}, {"facets", []string{g.set.Facets[0], "nothing", "neither"}}, {"distinct", "nothing"}, {"attributesToSearchOn", []string{"nothing"}},
		{"attributesToSearchOn", []string{g.set.Text[0], "nothing"}}, {"matchingStrategy", "some"}, {"rankingScoreThreshold", 1.01}, {"rankingScoreThreshold", -0.1}, {"locales", []string{"klingon"}}, {"locales", []string{"english"}},
		{"vector", []float64{1, 2}}, {"hybrid", map[string]any{"embedder": "nothing"}}, {"hybrid", map[string]any{}}, {"vector", []float64{1}, "hybrid", map[string]any{"embedder": Embedder}},
		{"hybrid", map[string]any{"embedder": Embedder, "semanticRatio": 2}}, {"hybrid", map[string]any{"embedder": Embedder, "lol": 2}}, {"attributesToCrop", []string{"title:x"}}, {"page", 1, "lol", 2}, {"offset", -1, "limit", -1}, {"attributes_to_retrieve", []string{}},
		{"q", "a", "media", map[string]any{"a": 1}}, {"federationOptions", map[string]any{}}, {"limit", 18446744073709551615.0}, {"cropLength", -3}, {"showRankingScores", true},
	})
	return g.search(m)
}

func (g *generator) wrongDocuments() Question {
	return pick(g, []Question{
		g.get("/documents/absent"), g.get("/documents/bad%20id"), g.get("/documents/" + strings.Repeat("x", 600)), g.get("/documents/a?lol=1"), g.get("/documents?limit=-1"), g.get("/documents?offset=a"),
		g.get("/documents?lol=1"), g.get("/documents?filter=nothing%20%3D%201"), g.get("/documents?sort=nothing:asc"), g.get("/documents?retrieveVectors=1"), g.get("/documents?limit=1&filter=" + g.set.Facets[0]), g.get("/documents?ids=a,b%20c"),
		g.post("/documents/fetch", members{"ids", "a"}), g.post("/documents/fetch", members{"ids", []string{"a b"}}), g.post("/documents/fetch", members{"ids", []any{1, 1.5}}), g.post("/documents/fetch", members{"filter", g.brokenFilter()}),
		g.post("/documents/fetch", members{"sort", g.brokenSort()}), g.post("/documents/fetch", members{"limit", "x"}), g.post("/documents/fetch", members{"fields", "x"}), g.post("/documents/fetch", members{"lol", "x"}), g.post("/documents/fetch", members{"limit", -1}),
	})
}

func (g *generator) wrongElsewhere() Question {
	multi := func(body string) Question { return Question{Method: "POST", Path: "/multi-search", Body: body} }
	return pick(g, []Question{
		{Method: "POST", Path: "/indexes/absent/search", Body: `{"q":"a"}`}, {Method: "GET", Path: "/indexes/absent"}, {Method: "GET", Path: "/indexes/absent/documents"}, {Method: "POST", Path: "/indexes/bad*uid/search", Body: `{}`},
		g.post("/search"), {Method: "POST", Path: "/indexes/" + g.index + "/search", Body: `{`}, {Method: "POST", Path: "/indexes/" + g.index + "/search", Body: `[]`}, {Method: "POST", Path: "/indexes/" + g.index + "/search", Body: `"a"`},
		{Method: "POST", Path: "/indexes/" + g.index + "/search", Body: `{"q":"a"} {}`}, {Method: "POST", Path: "/indexes/" + g.index + "/search", Body: `{"q":"a",}`}, {Method: "POST", Path: "/indexes/" + g.index + "/search", Body: `null`},
		g.get("/search?lol=1"), g.get("/search?limit=a"), g.get("/search?limit=-1"), g.get("/search?showRankingScore=1"), g.get("/search?matchingStrategy=x"), g.get("/search?filter=nothing%3D1"), g.get("/search?sort=nothing:asc"), g.get("/search?cropLength=x"),
		g.get("/search?page=1.5"), g.get("/search?rankingScoreThreshold=2"), g.get("/search?rankingScoreThreshold=a"), g.get("/search?vector=a"), g.get("/search?locales=xx"), g.get("/search?facets=nothing"), g.get("/search?hybridSemanticRatio=0.5"),
		g.post("/facet-search"), g.post("/facet-search", members{"facetName", "nothing"}), g.post("/facet-search", members{"facetName", 1}), g.post("/facet-search", members{"facetName", g.set.Facets[0], "facetQuery", 1}), g.post("/facet-search", members{"facetQuery", "a"}),
		g.post("/facet-search", members{"facetName", g.set.Facets[0], "filter", "nothing = 1"}), g.post("/facet-search", members{"facetName", g.set.Facets[0], "lol", 1}), g.post("/facet-search", members{"facetName", g.set.Facets[0], "matchingStrategy", "x"}),
		g.post("/similar", members{"id", "absent", "embedder", Embedder}), g.post("/similar", members{"embedder", Embedder}), g.post("/similar", members{"id", 1}), g.post("/similar", members{"id", "a b", "embedder", Embedder}), g.post("/similar", members{"id", "1", "embedder", "nothing"}),
		g.post("/similar", members{"id", 1.5, "embedder", Embedder}), g.post("/similar", members{"id", []int{1}, "embedder", Embedder}), g.post("/similar", members{"id", "1", "embedder", Embedder, "lol", 1}),
		multi(`{}`), multi(`{"queries":[]}`), multi(`{"queries":{}}`), multi(`{"queries":[{}]}`), multi(`{"queries":[{"indexUid":"absent"}]}`), multi(`{"queries":[{"indexUid":"bad uid"}]}`), multi(`{"lol":1,"queries":[]}`),
		multi(fmt.Sprintf(`{"queries":[{"indexUid":%q,"lol":1}]}`, g.index)), multi(fmt.Sprintf(`{"queries":[{"indexUid":%q},{"indexUid":%q,"limit":"a"}]}`, g.index, g.index)), multi(fmt.Sprintf(`{"queries":[{"indexUid":%q,"filter":"nothing = 1"}]}`, g.index)),
		multi(fmt.Sprintf(`{"queries":[{"indexUid":%q,"federationOptions":{}}]}`, g.index)), multi(fmt.Sprintf(`{"federation":{},"queries":[{"indexUid":%q,"limit":1}]}`, g.index)), multi(fmt.Sprintf(`{"federation":{},"queries":[{"indexUid":%q,"facets":["x"]}]}`, g.index)),
		multi(fmt.Sprintf(`{"federation":{"limit":-1},"queries":[{"indexUid":%q}]}`, g.index)), multi(fmt.Sprintf(`{"federation":{"lol":1},"queries":[{"indexUid":%q}]}`, g.index)), multi(fmt.Sprintf(`{"federation":{},"queries":[{"indexUid":%q,"federationOptions":{"weight":-1}}]}`, g.index)),
		multi(fmt.Sprintf(`{"federation":{"facetsByIndex":{"absent":["x"]}},"queries":[{"indexUid":%q}]}`, g.index)), multi(fmt.Sprintf(`{"federation":{"facetsByIndex":{%q:["nothing"]}},"queries":[{"indexUid":%q}]}`, g.index, g.index)), multi(fmt.Sprintf(`{"federation":{},"queries":[{"indexUid":%q,"page":1}]}`, g.index)),
	})
}
