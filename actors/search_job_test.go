package actors

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/rawjson"
	"github.com/miroir-search/miroir/store"
	"github.com/miroir-search/miroir/topology"
)

func testSnapshot(t testing.TB, groups, perGroup, copies int) *topology.Snapshot {
	t.Helper()
	var nodes []topology.Node
	for g := range groups {
		for i := range perGroup {
			nodes = append(nodes, topology.Node{ID: fmt.Sprintf("%c%d", 'a'+g, i), Address: fmt.Sprintf("http://%c%d", 'a'+g, i), Group: g})
		}
	}
	s, err := topology.New(1, nodes, copies)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func testView(t testing.TB, settings string) *indexView {
	t.Helper()
	iv, err := newIndexView(store.Index{ID: newIndexID(), UID: "films", Shards: 8, Settings: json.RawMessage(settings)}, testSnapshot(t, 1, 2, 1).Table(8))
	if err != nil {
		t.Fatal(err)
	}
	return iv
}

// checkRequest compares what a leg is sent with the client's request, decoded.
func checkRequest(t *testing.T, iv *indexView, body string, leg topology.Leg, alone bool) {
	t.Helper()
	var client map[string]any
	if json.Unmarshal([]byte(body), &client) != nil {
		return
	}
	trimmed := []byte(strings.TrimSpace(body))
	j := &searchJob{iv: iv, body: trimmed, p: parseSearch(trimmed, iv)}
	req, err := j.request(leg, alone)
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	if err := rawjson.Validate(req.Body); err != nil {
		t.Fatalf("%s became %s: %v", body, req.Body, err)
	}
	if j.p.odd || alone && !leg.Filtered {
		if string(req.Body) != string(trimmed) {
			t.Fatalf("%s became %s", body, req.Body)
		}
		return
	}
	var got map[string]any
	if err := json.Unmarshal(req.Body, &got); err != nil {
		t.Fatalf("%s became %s: %v", body, req.Body, err)
	}
	want := map[string]any{}
	for k, v := range client {
		want[k] = v
	}
	clause := string(topology.AppendFilter(nil, leg.Shards))
	filter := client["filter"]
	delete(want, "filter")
	switch list, isList := filter.([]any); {
	case leg.Filtered && isList:
		want["filter"] = append(append([]any{}, list...), clause)
	case leg.Filtered && filter != nil:
		want["filter"] = []any{filter, clause}
	case leg.Filtered:
		want["filter"] = []any{clause}
	case filter != nil:
		want["filter"] = filter
	}
	if !alone {
		for _, k := range []string{"offset", "limit", "page", "hitsPerPage", "showRankingScoreDetails", "attributesToRetrieve"} {
			delete(want, k)
		}
		if list, ok := client["attributesToRetrieve"].([]any); ok {
			want["attributesToRetrieve"] = append(append([]any{}, list...), topology.SeqField)
		}
		if client["page"] != nil || client["hitsPerPage"] != nil {
			want["page"], want["hitsPerPage"] = float64(min(j.p.spec.Depth(), 1)), float64(max(j.p.spec.Depth(), 1))
		} else {
			want["limit"] = float64(j.p.spec.Depth())
		}
		if j.ordered() {
			want["showRankingScoreDetails"] = true
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Fatalf("%s\nbecame %s\nwant   %v", body, req.Body, want)
	}
}

var searchMembers = [][]string{
	{"", `"q":""`, `"q":"a \" b"`, `"q":null`},
	{"", `"filter":"a = 1"`, `"filter":[]`, `"filter":[ ]`, `"filter":["a = 1",["b = 2","c = 3"]]`, `"filter":null`},
	{"", `"attributesToRetrieve":[]`, `"attributesToRetrieve":[ "id" ]`, `"attributesToRetrieve":null`, `"attributesToRetrieve":["*"]`},
	{"", `"limit":0`, `"limit":7,"offset":3`, `"page":2,"hitsPerPage":5`, `"hitsPerPage":0`, `"offset":null`, `"limit":-1`},
	{"", `"sort":["a:asc"]`, `"showRankingScoreDetails":false`, `"showRankingScoreDetails":true`, `"facets":["*"],"x":{"limit":3}`},
}

func TestEveryCombinationOfMembersMakesAValidRequest(t *testing.T) {
	iv := testView(t, `{}`)
	legs := []topology.Leg{
		{Node: 0, Shards: topology.ShardSetOf(8, 1, 5)}, {Node: 0, Shards: topology.ShardSetOf(8, 1, 5), Filtered: true},
	}
	var build func(i int, members []string)
	build = func(i int, members []string) {
		if i == len(searchMembers) {
			for _, body := range []string{"{" + strings.Join(members, ",") + "}", " {\n" + strings.Join(members, " ,\t") + " }\n "} {
				for _, leg := range legs {
					checkRequest(t, iv, body, leg, true)
					checkRequest(t, iv, body, leg, false)
				}
			}
			return
		}
		for _, m := range searchMembers[i] {
			next := members
			if m != "" {
				next = append(members[:len(members):len(members)], m)
			}
			build(i+1, next)
		}
	}
	build(0, nil)
}

func FuzzSearchRequest(f *testing.F) {
	for _, body := range []string{
		`{}`, `{"filter":"a = 1","limit":3}`, `{"lim\u0069t":3,"q":"x"}`, `{"limit":1,"limit":2}`, `{"hitsPerPage":9223372036854775807,"page":3}`,
		`{"offset":9223372036854775807,"limit":9223372036854775807}`, ` {"attributesToRetrieve":["a","b"] , "filter" : [ [ ] ] } `, `{"filter":{}}`, `{"filter":7}`,
	} {
		f.Add(body, true, true)
		f.Add(body, false, true)
	}
	f.Fuzz(func(t *testing.T, body string, alone, filtered bool) {
		if rawjson.Validate([]byte(body)) != nil {
			t.Skip("only valid JSON comes this far")
		}
		iv := testView(t, `{}`)
		trimmed := []byte(strings.TrimSpace(body))
		j := &searchJob{iv: iv, body: trimmed, p: parseSearch(trimmed, iv)}
		req, err := j.request(topology.Leg{Shards: topology.ShardSetOf(8, 2), Filtered: filtered}, alone)
		if err != nil {
			t.Fatal(err)
		}
		if err := rawjson.Validate(req.Body); err != nil {
			t.Fatalf("%s became %s: %v", body, req.Body, err)
		}
		if raw, ok := rawjson.Get(req.Body, "limit"); ok && !j.p.odd && strings.HasPrefix(string(raw), "-") {
			t.Fatalf("%s became %s", body, req.Body)
		}
	})
}

func TestListingsAskForWhatTheyNeed(t *testing.T) {
	iv := testView(t, `{}`)
	leg := topology.Leg{Shards: topology.ShardSetOf(8, 3), Filtered: true}
	clause, err := json.Marshal(string(topology.AppendFilter(nil, leg.Shards)))
	if err != nil {
		t.Fatal(err)
	}
	for body, want := range map[string]string{
		`{}`:                                `{"limit":20,"filter":[C]}`,
		` {"offset":5,"limit":5} `:          `{"limit":10,"filter":[C]}`,
		`{"filter":"a=1"}`:                  `{"limit":20,"filter":["a=1",C]}`,
		`{"fields":[]}`:                     `{"limit":20,"filter":[C],"fields":["_miroir_seq"]}`,
		`{"fields":["a"],"sort":["b:asc"]}`: `{"sort":["b:asc"],"limit":20,"filter":[C],"fields":["a","_miroir_seq","b"]}`,
		`{"fields":["a"],"sort":["_geoPoint(1, 2):asc"]}`: `{"sort":["_geoPoint(1, 2):asc"],"limit":20,"filter":[C],"fields":["a","_miroir_seq","_geo"]}`,
		`{"fields":["a"],"sort":["a.b:asc"]}`:             `{"sort":["a.b:asc"],"limit":20,"filter":[C],"fields":["a","_miroir_seq"]}`,
		`{"fields":["*"],"sort":["b:desc"]}`:              `{"sort":["b:desc"],"limit":20,"filter":[C],"fields":["*","_miroir_seq"]}`,
		`{"retrieveVectors":true,"ids":["1"]}`:            `{"retrieveVectors":true,"ids":["1"],"limit":20,"filter":[C]}`,
		`{"limit":"x"}`:                                   `{"limit":"x"}`,
		`{"limit":0,"fields":null,"filter":[]}`:           `{"limit":0,"filter":[C]}`,
		`{"offset":1,"limit":9223372036854775807}`:        `{"limit":9223372036854775807,"filter":[C]}`,
	} {
		j := newBrowseJob(iv, []byte(body), "", false)
		req, err := j.request(leg, false)
		if err != nil {
			t.Fatal(err)
		}
		var got, wanted any
		if err := json.Unmarshal(req.Body, &got); err != nil {
			t.Errorf("%s became %s: %v", body, req.Body, err)
			continue
		}
		if err := json.Unmarshal([]byte(strings.ReplaceAll(want, "C", string(clause))), &wanted); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, wanted) {
			t.Errorf("%s\nbecame %s\nwant   %s", body, req.Body, want)
		}
	}
}

func TestNodeErrorsLoseOurNames(t *testing.T) {
	for text, want := range map[string]string{
		"nothing of ours": "nothing of ours",
		"Available filterable attributes patterns are: `a`, `_miroir_shard`.": "Available filterable attributes patterns are: `a`.",
		"Available filterable attribute patterns are: `_miroir_shard`, `b`.":  "Available filterable attribute patterns are: `b`.",
		"x. Available filterable attribute patterns are: `_miroir_shard`.":    "x. This index does not have configured filterable attributes.",
		"one of a, _miroir_shard, b":                                          "one of a, b",
	} {
		if got := string(scrub([]byte(text))); got != want {
			t.Errorf("%s\ngot  %s\nwant %s", text, got, want)
		}
	}
}

func TestNodesAreSentWhatMiroirNeedsBeside(t *testing.T) {
	settings := func(text string) *api.Settings {
		s := api.DefaultSettings()
		if err := json.Unmarshal([]byte(text), s); err != nil {
			t.Fatal(err)
		}
		return s
	}
	for _, c := range []struct {
		name, settings string
		keys           []string
		want           string
	}{
		{"the shard field is filterable", `{"filterableAttributes":["a"]}`, []string{"filterableAttributes"}, `{"filterableAttributes":["a","_miroir_shard"]}`},
		{"a star needs no rule of ours", `{"filterableAttributes":[{"attributePatterns":["*"]}]}`, []string{"filterableAttributes"}, `{"filterableAttributes":[{"attributePatterns":["*"],"features":{"facetSearch":false,"filter":{"equality":true,"comparison":false}}}]}`},
		{"stop words only", `{"stopWords":["a"]}`, []string{"stopWords"}, `{"stopWords":["a"]}`},
		{"all shown stays all", `{}`, []string{"displayedAttributes"}, `{"displayedAttributes":["*"]}`},
		{"what orders hits is shown", `{"displayedAttributes":["a"],"sortableAttributes":["b","a"],"rankingRules":["words","c:asc"]}`, []string{"displayedAttributes"}, `{"displayedAttributes":["a","_miroir_seq","b","c"]}`},
		{"nothing shown", `{"displayedAttributes":[]}`, []string{"displayedAttributes"}, `{"displayedAttributes":["_miroir_seq"]}`},
		{"sortables bring what is shown", `{"displayedAttributes":["a"],"sortableAttributes":["b"]}`, []string{"sortableAttributes"}, `{"displayedAttributes":["a","_miroir_seq","b"],"sortableAttributes":["b"]}`},
		{"facets by count ask for all values", `{"faceting":{"maxValuesPerFacet":5,"sortFacetValuesBy":{"*":"count"}}}`, []string{"faceting"}, `{"faceting":{"maxValuesPerFacet":2147483648,"sortFacetValuesBy":{"*":"count"}}}`},
	} {
		raw, err := nodeSettings(settings(c.settings), c.keys)
		if err != nil {
			t.Fatal(err)
		}
		var got, want any
		if err := json.Unmarshal(raw, &got); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(c.want), &want); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s:\ngot  %s\nwant %s", c.name, raw, c.want)
		}
	}
	for pattern, want := range map[string]bool{
		"*": true, "_miroir_shard": true, "_miroir_*": true, "*_shard": true, "*iroi*": true, "_miroir": false, "title": false, "**": true, "*x": false,
	} {
		if got := matchesShardField(pattern); got != want {
			t.Errorf("%s: %v", pattern, got)
		}
	}
}
