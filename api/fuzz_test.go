package api

import (
	"encoding/json"
	"reflect"
	"testing"
)

// sameQuery checks that a query survives being written and read again.
func sameQuery(t *testing.T, q *SearchQuery) {
	t.Helper()
	body, err := json.Marshal(q)
	if err != nil {
		t.Fatalf("encode %+v: %v", q, err)
	}
	v, err := ParseJSON(body)
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	again, refused := DecodeSearch(v)
	if refused != nil {
		t.Fatalf("%s is refused: %v", body, refused)
	}
	for _, x := range []*SearchQuery{q, again} { // what a value was read from may differ
		for _, v := range []*Value{x.Filter, x.Media} {
			if v != nil {
				forget(v)
			}
		}
	}
	if !reflect.DeepEqual(q, again) {
		t.Fatalf("%s\nbecame %+v\nfrom   %+v", body, again, q)
	}
}

func forget(v *Value) {
	v.Raw = nil
	for i := range v.Arr {
		forget(&v.Arr[i])
	}
	for i := range v.Obj {
		forget(&v.Obj[i].Value)
	}
}

func FuzzDecodeSearch(f *testing.F) {
	for _, body := range []string{
		`{"q":"a \"b c\" -d","limit":3,"offset":1,"attributesToRetrieve":["*"],"cropLength":0,"cropMarker":""}`,
		`{"filter":[["a = 1","b = 2"],"c EXISTS"],"sort":["a:asc","_geoPoint(1,2):desc"],"facets":null}`,
		`{"hybrid":{"embedder":"e","semanticRatio":0.9},"vector":[1,2.5e-3],"page":1,"hitsPerPage":0}`,
		`{"rankingScoreThreshold":1.5}`, `{"limit":1e3}`, `{"q":"a","q":"b"}`, `{"matchingStrategy":"frequency","locales":["fra"]}`, `{"filter":{"a":[1.0,-0]}}`,
		`{"queries":[{"indexUid":"a","federationOptions":{"weight":2}}],"federation":{"mergeFacets":{}}}`, `{"facetName":"x","facetQuery":"y"}`,
	} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		v, err := ParseJSON(body)
		if err != nil {
			return
		}
		_, _ = DecodeFacetSearch(v)
		_, _ = DecodeSimilar(v)
		_, _ = DecodeMultiSearch(v)
		q, refused := DecodeSearch(v)
		if refused != nil {
			if refused.Code == "" || refused.Message == "" || refused.Status() >= 500 {
				t.Fatalf("%s: %+v", body, refused)
			}
			return
		}
		_ = q.CheckVectors()
		sameQuery(t, q)
	})
}

func FuzzParseSearch(f *testing.F) {
	for _, raw := range []string{
		"q=a%20b+c&limit=3&offset=1", "attributesToRetrieve=*,a&attributesToCrop=a:3&cropLength=5", "filter=%5B%22a%3D1%22%5D&sort=a:asc,_geoPoint(1,2):desc",
		"filter=a%20%3D%201&facets=*", "hybridEmbedder=e&hybridSemanticRatio=0.3&vector=1,2", "page=0&hitsPerPage=7&showRankingScore=true", "q=%&limit=%zz&a",
		"rankingScoreThreshold=2", "matchingStrategy=all&locales=fra,eng", "q=a&q=b&q", "limit=99999999999999999999",
	} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		_, _ = ParseSimilar(raw)
		q, refused := ParseSearch(raw)
		if refused != nil {
			if refused.Code == "" || refused.Message == "" || refused.Status() >= 500 {
				t.Fatalf("%q: %+v", raw, refused)
			}
			return
		}
		sameQuery(t, q)
	})
}
