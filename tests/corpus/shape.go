package corpus

import (
	"fmt"
	"strings"
)

// sorting is one or two fields to sort by.
func (g *generator) sorting() []string {
	by := func() string { return pick(g, g.set.Sorts) + pick(g, []string{":asc", ":desc"}) }
	out := []string{by()}
	if g.chance(2) {
		out = append(out, by())
	}
	return out
}

func sorted(g *generator) Question {
	q := pick(g, []string{"", "", g.frequent(), g.query()})
	var filter any
	if g.chance(3) {
		filter = g.filter(1)
	}
	return g.search(members{"q", q, "sort", g.sorting(), "filter", filter}, g.page(),
		members{"attributesToRetrieve", append(g.few(), g.set.Sorts...), "showRankingScoreDetails", g.chance(3)})
}

func geoSort(g *generator) Question {
	lat, lng := g.point()
	sort := []string{fmt.Sprintf("_geoPoint(%.4f, %.4f):%s", lat, lng, pick(g, []string{"asc", "desc"}))}
	switch g.IntN(4) {
	case 0:
		sort = append(sort, g.sorting()...)
	case 1:
		sort = append(g.sorting(), sort...)
	}
	var filter any
	if g.chance(3) {
		filter = g.area()
	}
	what := append(g.few(), "_geo")
	if g.chance(5) {
		what = g.few()
	}
	return g.search(members{"q", pick(g, []string{"", g.frequent(), g.query()}), "sort", sort, "filter", filter}, g.page(),
		members{"attributesToRetrieve", what, "showRankingScoreDetails", g.chance(4)})
}

func facets(g *generator) Question {
	list := []string{pick(g, g.set.Facets)}
	switch g.IntN(4) {
	case 0:
		list = []string{"*"}
	case 1:
		list = append(list, pick(g, g.set.Numbers))
	case 2:
		list = append(append(list, g.set.Numbers...), g.set.Facets...)
	}
	var filter, distinct any
	if g.chance(2) {
		filter = g.filter(1)
	}
	if g.chance(8) {
		distinct = pick(g, g.set.Facets)
	}
	return g.search(members{"q", pick(g, []string{"", g.frequent(), g.query()}), "facets", list, "filter", filter, "distinct", distinct},
		members{"limit", 3, "attributesToRetrieve", g.few()})
}

func facetSearch(g *generator) Question {
	field := pick(g, g.set.Facets)
	v := g.value(field)
	query := any(g.cut(v))
	switch g.IntN(5) {
	case 0:
		query = nil
	case 1:
		query = g.damaged(v, 1)
	case 2:
		query = strings.ToUpper(v)
	}
	var q, filter, exhaustive any
	if g.chance(3) {
		q = g.frequent()
	}
	if g.chance(3) {
		filter = g.filter(1)
	}
	if g.chance(5) {
		exhaustive = true
	}
	return g.post("/facet-search", members{"facetName", field, "facetQuery", query, "q", q, "filter", filter, "exhaustiveFacetCount", exhaustive})
}

func formatting(g *generator) Question {
	q := g.query()
	switch g.IntN(6) {
	case 0:
		q = g.damaged(q, 1)
	case 1:
		q = g.cut(g.longWord(4))
	case 2:
		q = `"` + strings.Join(g.run(2), " ") + `"`
	case 3:
		q = ""
	}
	m := members{"q", q, "limit", 5}
	some := []string{pick(g, g.set.Text)}
	switch g.IntN(5) {
	case 0:
		m = append(m, "attributesToHighlight", []string{"*"})
	case 1:
		m = append(m, "attributesToHighlight", some, "highlightPreTag", "<b>", "highlightPostTag", "</b>")
	case 2:
		m = append(m, "attributesToCrop", []string{"*"}, "cropLength", 1+g.IntN(20))
	case 3:
		m = append(m, "attributesToCrop", []string{some[0] + ":" + fmt.Sprint(g.IntN(12))}, "cropMarker", pick(g, []string{"", "[...]"}), "attributesToHighlight", []string{"*"})
	}
	if g.chance(2) {
		m = append(m, "showMatchesPosition", true)
	}
	if g.chance(2) {
		m = append(m, "attributesToRetrieve", g.few())
	}
	return g.search(m)
}

func retrieve(g *generator) Question {
	what := pick(g, [][]string{{"*"}, {}, {"nothing"}, {g.set.Text[0], g.set.Key}, {g.set.Text[0], "nothing", "*"}, g.set.Facets, {g.set.Key, g.set.Key}})
	return g.search(members{"q", g.query(), "attributesToRetrieve", what}, g.page(), members{"showMatchesPosition", g.chance(4)})
}

// combined are the parameters of a search that meet each other most.
func combined(g *generator) Question {
	more := pick(g, []members{
		{"limit", 0}, {"offset", 15, "limit", 10}, {"page", 2, "hitsPerPage", 9}, {"sort", g.sorting()}, {"facets", g.set.Facets, "limit", 1},
		{"attributesToHighlight", []string{"*"}, "attributesToCrop", []string{pick(g, g.set.Text)}, "cropLength", 8},
		{"showRankingScoreDetails", true, "sort", g.sorting()}, {"showRankingScore", true, "rankingScoreThreshold", 0.6},
		{"distinct", pick(g, g.set.Facets), "sort", g.sorting()}, {"filter", g.filter(1), "facets", []string{"*"}, "sort", g.sorting()},
		{"matchingStrategy", "all", "attributesToSearchOn", g.set.Text[:1], "filter", g.filter(1)},
	})
	q := pick(g, []string{"", g.frequent(), g.query(), strings.Join(g.run(4), " "), "1999", "é", "!!", "an a the", `\"` + g.word(), g.word() + " -" + g.word()})
	return g.search(members{"q", q}, more, members{"attributesToRetrieve", g.few()})
}
