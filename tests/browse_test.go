package tests

import (
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/miroir-search/miroir/tests/corpus"
	"github.com/miroir-search/miroir/tests/fleet"
)

// listings ask for documents in every way, by POST and by GET.
func listings() []question {
	out := posts("/documents/fetch", `{}`, `{"limit":0}`, `{"limit":3}`, `{"offset":390,"limit":50}`, `{"offset":400}`, `{"offset":1000000}`, `{"offset":250,"limit":20}`,
		`{"fields":["id"]}`, `{"fields":["*"],"limit":2}`, `{"fields":[],"limit":2}`, `{"fields":["nope"],"limit":2}`, `{"fields":["_geo.lat","id"],"limit":5}`, `{"fields":null,"limit":1}`,
		`{"retrieveVectors":true,"limit":15}`, `{"retrieveVectors":true,"fields":["id"],"limit":5}`, `{"retrieveVectors":true,"fields":["id","_vectors"],"limit":5}`,
		`{"ids":[5,"7",7,"none",300]}`, `{"ids":[9,8,7],"limit":2}`, `{"ids":[]}`, `{"ids":["x/y"]}`, `{"ids":[1.5]}`, `{"ids":[true]}`, `{"ids":"5"}`, `{"ids":[[1]]}`, `{"ids":[5,6],"filter":"size > 50","fields":["id","size"]}`,
		`{"filter":"id = 9"}`, `{"filter":"id IN [9, 10, 11] AND size > 3","fields":["id"]}`, `{"filter":["kind = 'kind 3'",["size > 10","tags = zinc"]],"limit":7}`,
		`{"filter":"nope = 1"}`, `{"filter":"size >"}`, `{"filter":1}`, `{"filter":"_geoRadius(10, 20, 1000000)","fields":["id"]}`, `{"sort":["nope:asc"]}`, `{"sort":["size"]}`, `{"sort":"size:asc"}`, `{"sort":[1]}`,
		`{"sort":["_geoPoint(1):asc"]}`, `{"sort":["_geoRadius(1,2,3):asc"]}`, `{"limit":-1}`, `{"limit":"x"}`, `{"offset":1.5}`, `{"lol":1}`, `{"useNetwork":true}`, `[]`, `{`, `{"fields":"id"}`, `{"retrieveVectors":1}`)
	for _, sort := range []string{"size:asc", "size:desc", "mixed:asc", "mixed:desc", "title:asc", "_geoPoint(10, 20):asc", "_geoPoint(-10, 100.5):desc", `size:asc","title:desc`,
		`mixed:desc","_geoPoint(5,5):asc`, `_geoPoint(5,5):desc","size:asc`, `size:asc","size:desc`} {
		for _, more := range []string{``, `,"fields":["id"],"limit":60`, `,"offset":37,"limit":11,"fields":["id","title"]`, `,"offset":300,"limit":30,"fields":["_geo.lng","id"]`, `,"filter":"size < 50","offset":100,"limit":40`} {
			out = append(out, question{"POST", "/documents/fetch", fmt.Sprintf(`{"sort":["%s"]%s}`, sort, more)})
		}
	}
	get := func(params ...string) {
		v := url.Values{}
		for i := 0; i+1 < len(params); i += 2 {
			v.Set(params[i], params[i+1])
		}
		out = append(out, question{"GET", "/documents?" + v.Encode(), ""})
	}
	get()
	get("limit", "3", "offset", "290", "fields", "id,title")
	get("ids", "3,4,5", "fields", "*")
	get("filter", "size > 90", "sort", "size:desc,title:asc", "fields", "id,size")
	get("sort", "_geoPoint(10,20):asc,size:asc", "limit", "5")
	get("filter", "nope = 1")
	get("sort", "nope:asc")
	get("limit", "x")
	get("ids", "a b")
	get("lol", "1")
	get("retrieveVectors", "true", "limit", "4")
	return append(out, gets("/documents/7", "/documents/7?fields=id,title", "/documents/7?retrieveVectors=true", "/documents/none", "/documents/a%20b", "/documents/7?lol=1", "/documents/7?fields=")...)
}

func TestListingsAreThoseOfOneNode(t *testing.T) {
	overTopologies(t, wareSettings, []string{wares(0, 200), wares(200, 200)}, func(t *testing.T, w twins) {
		w.same(t, listings()...)
		w.setting(t, `{"displayedAttributes":["title"],"filterableAttributes":[],"sortableAttributes":[]}`)
		w.same(t, listings()[:40]...)
	})
}

// Unusual documents come back as they were sent, and sorted and filtered as on
// one node.
func TestOddDocumentsAreThoseOfOneNode(t *testing.T) {
	set := corpus.Odd()
	var docs []string
	for _, d := range set.Docs {
		docs = append(docs, string(d))
	}
	settings := strings.Replace(set.Variant("plain").Settings, `["_geo",`, `["id","_geo",`, 1)
	overTopologies(t, settings, []string{"[" + strings.Join(docs, ",") + "]"}, func(t *testing.T, w twins) {
		var asked []question
		for _, id := range []string{"1", "2", "007", "-5", "0", "9007199254740993", "18446744073709551615", "1e3", "a-b_c", "ABC", "abc", "null", "7", "1000", strings.Repeat("long-", 100)} {
			asked = append(asked, question{"GET", "/documents/" + id, ""}, question{"POST", "/documents/fetch", fmt.Sprintf(`{"ids":[%q]}`, id)},
				question{"POST", "/documents/fetch", fmt.Sprintf(`{"filter":"id = '%s'"}`, id)}, question{"POST", "/search", fmt.Sprintf(`{"filter":"id = '%s'"}`, id)},
				question{"POST", "/search", fmt.Sprintf(`{"q":%q,"limit":5}`, id)})
		}
		for _, sort := range []string{"n:asc", "n:desc", "mixed:asc", "mixed:desc", "name:asc", "name:desc", "nested.deep:asc", "nested.deep:desc", "_geoPoint(0, 0):asc", "_geoPoint(0, 179.9):desc"} {
			for _, more := range []string{`,"limit":500`, `,"limit":500,"fields":["id"]`, `,"limit":20,"offset":60,"fields":["nested.list","id"]`} {
				asked = append(asked, question{"POST", "/documents/fetch", fmt.Sprintf(`{"sort":["%s"]%s}`, sort, more)})
			}
			asked = append(asked, question{"POST", "/search", fmt.Sprintf(`{"sort":["%s"],"limit":500}`, sort)})
		}
		// A number that is also a shard, and words that look like one.
		for _, q := range []string{"0", "1", "3", "12", "true", "null", "!", "(((((", "tree"} {
			asked = append(asked, question{"POST", "/search", fmt.Sprintf(`{"q":%q,"limit":500,"attributesToRetrieve":["id"]}`, q)}, question{"POST", "/search", fmt.Sprintf(`{"q":%q,"page":1,"hitsPerPage":4}`, q)})
		}
		asked = append(asked, posts("/search", `{"q":"tree","attributesToSearchOn":["*"]}`, `{"q":"tree","attributesToSearchOn":["n*"]}`, `{"q":"1","attributesToSearchOn":["_*"]}`, `{"q":"tree","facets":["*"]}`, `{"facets":["_*"]}`,
			`{"facets":["tags"]}`, `{"filter":"nope = 1"}`, `{"filter":"n > 3 AND nested.deep EXISTS"}`, `{"attributesToHighlight":["*"],"q":"tree"}`, `{"attributesToCrop":["*"],"q":"tree","showMatchesPosition":true}`)...)
		if os.Getenv("MEILISEARCH_BIN") == "" { // see notEmbedded; and they do not list documents with numbers and strings as often
			asked = slices.DeleteFunc(asked, func(q question) bool {
				return strings.Contains(q.body, `"facets":["*"]`) || strings.Contains(q.body, `"facets":["_*"]`) ||
					q.path == "/documents/fetch" && (strings.Contains(q.body, `"mixed:`) || strings.Contains(q.body, `"nested.deep:`))
			})
		}
		w.same(t, asked...)
	})
}

// An index without documents, with one, and with all in one shard.
func TestSmallIndexesAreThoseOfOneNode(t *testing.T) {
	w := startTwins(t, fleet.Options{Groups: 1, PerGroup: 3}, wareSettings)
	ask := func() {
		t.Helper()
		w.same(t, listings()...)
		w.same(t, posts("/search", `{}`, `{"q":"red"}`, `{"sort":["size:asc"],"facets":["kind"]}`, `{"page":1}`, `{"filter":"id = 1"}`)...)
		w.same(t, fieldLists()[:6]...)
		w.same(t, posts("/multi-search", `{"federation":{},"queries":[{"indexUid":"wares"}]}`, `{"queries":[{"indexUid":"wares","q":"red"}]}`)...)
	}
	ask()
	for _, s := range []fleet.API{w.many, w.one} {
		s.Write(t, "POST", "/indexes/wares/documents", wares(5, 1))
	}
	ask()
}
