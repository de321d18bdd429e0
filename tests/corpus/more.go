package corpus

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"strings"
)

// within is a search as a member of a list of queries.
func (g *generator) within(q Question, more ...any) json.RawMessage {
	body := strings.TrimPrefix(q.Body, "{")
	extra := append(members{"indexUid", g.index}, more...).json()
	if body != "}" {
		extra = strings.TrimSuffix(extra, "}") + ","
	} else {
		extra = strings.TrimSuffix(extra, "}")
	}
	return json.RawMessage(extra + body)
}

func multiSearch(g *generator) Question {
	from := []func(*generator) Question{placeholder, keyword, typo, filtered, sorted, facets, formatting, paging, scores}
	list := make([]json.RawMessage, 1+g.IntN(3))
	for i := range list {
		list[i] = g.within(pick(g, from)(g))
	}
	return Question{Method: "POST", Path: "/multi-search", Body: members{"queries", list}.json()}
}

func federated(g *generator) Question {
	list := make([]json.RawMessage, 1+g.IntN(3))
	field := pick(g, g.set.Sorts) + ":desc"
	for i := range list {
		m := members{"q", g.query(), "attributesToRetrieve", g.few()}
		if g.chance(3) {
			m = append(m, "filter", g.filter(1))
		}
		if g.chance(3) {
			m = append(m, "showRankingScore", true)
		}
		if len(list) == 1 || strings.HasSuffix(field, "desc") && list[0] != nil && strings.Contains(string(list[0]), `"sort"`) {
			m = append(m, "sort", []string{field})
		}
		var options any
		if g.chance(2) {
			options = json.RawMessage(members{"weight", pick(g, []any{0.5, 1, 2, 0.25})}.json())
		}
		list[i] = g.within(Question{Body: m.json()}, "federationOptions", options)
	}
	var f members
	switch g.IntN(4) {
	case 0:
		f = members{"limit", 1 + g.IntN(30), "offset", g.IntN(20)}
	case 1:
		f = members{"page", 1 + g.IntN(3), "hitsPerPage", 1 + g.IntN(10)}
	case 2:
		f = members{"limit", 5, "facetsByIndex", json.RawMessage(members{g.index, []string{pick(g, g.set.Facets)}}.json())}
		if g.chance(2) {
			f = append(f, "mergeFacets", json.RawMessage(members{"maxValuesPerFacet", 1 + g.IntN(10)}.json()))
		}
	}
	return Question{Method: "POST", Path: "/multi-search", Body: members{"federation", json.RawMessage(f.json()), "queries", list}.json()}
}

func documents(g *generator) Question {
	var fields any
	if g.chance(2) {
		fields = pick(g, [][]string{{g.set.Key}, g.few(), {"nothing"}, {"*"}, {}})
	}
	page := members{"limit", g.IntN(25), "offset", g.IntN(len(g.set.Docs) + 5)}
	switch g.IntN(7) {
	case 0:
		return g.get("/documents/" + url.PathEscape(g.id()))
	case 1:
		return g.get("/documents/" + url.PathEscape(g.id()) + "?fields=" + url.QueryEscape(g.set.Text[0]))
	case 2:
		return g.get(fmt.Sprintf("/documents?limit=%d&offset=%d", g.IntN(30), g.IntN(len(g.set.Docs))))
	case 3:
		ids := make([]string, 1+g.IntN(5))
		for i := range ids {
			ids[i] = g.id()
		}
		return g.post("/documents/fetch", members{"ids", append(ids, "absent", ids[0]), "fields", fields})
	case 4:
		return g.post("/documents/fetch", members{"sort", g.sorting(), "fields", fields}, page)
	case 5:
		return g.post("/documents/fetch", members{"filter", g.filter(1), "sort", g.sorting(), "fields", fields}, members{"limit", 9})
	}
	return g.post("/documents/fetch", members{"filter", g.filter(2), "fields", fields}, page)
}

// getForm is a search as GET, with lists joined by commas.
func getForm(g *generator) Question {
	v := url.Values{}
	v.Set("q", g.query())
	v.Set("attributesToRetrieve", strings.Join(g.few(), ","))
	switch g.IntN(6) {
	case 0:
		v.Set("filter", g.expression(1))
	case 1:
		v.Set("sort", strings.Join(g.sorting(), ","))
	case 2:
		v.Set("facets", strings.Join(g.set.Facets, ","))
	case 3:
		v.Set("attributesToHighlight", "*")
		v.Set("attributesToCrop", g.set.Text[0])
		v.Set("cropLength", strconv.Itoa(1+g.IntN(9)))
	case 4:
		v.Set("page", strconv.Itoa(1+g.IntN(3)))
		v.Set("hitsPerPage", "4")
	case 5:
		v.Set("filter", `["`+g.set.Facets[0]+` EXISTS"]`)
		v.Set("showRankingScore", "true")
		v.Set("matchingStrategy", "all")
	}
	return g.get("/search?" + v.Encode())
}
