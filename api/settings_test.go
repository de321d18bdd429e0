package api_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/miroir-search/miroir/api"
)

const defaults = `{"displayedAttributes":["*"],"searchableAttributes":["*"],"filterableAttributes":[],"sortableAttributes":[],` +
	`"rankingRules":["words","typo","proximity","attributeRank","sort","wordPosition","exactness"],"stopWords":[],` +
	`"nonSeparatorTokens":[],"separatorTokens":[],"dictionary":[],"synonyms":{},"distinctAttribute":null,` +
	`"proximityPrecision":"byWord","typoTolerance":{"enabled":true,"minWordSizeForTypos":{"oneTypo":5,"twoTypos":9},` +
	`"disableOnWords":[],"disableOnAttributes":[],"disableOnNumbers":false},"faceting":{"maxValuesPerFacet":100,` +
	`"sortFacetValuesBy":{"*":"alpha"}},"pagination":{"maxTotalHits":1000},"embedders":{},"searchCutoffMs":null,` +
	`"localizedAttributes":null,"facetSearch":true,"prefixSearch":"indexingTime"}`

func encode(t *testing.T, v any) string {
	t.Helper()
	out, err := api.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func patch(t *testing.T, body string) *api.SettingsPatch {
	t.Helper()
	v, err := api.ParseBody([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	p, err := api.DecodeSettings(v)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestDefaultSettingsPrintInOrderAndReadBack(t *testing.T) {
	s := api.DefaultSettings()
	if got := encode(t, s); got != defaults {
		t.Errorf("got  %s\nwant %s", got, defaults)
	}
	var back api.Settings
	if err := json.Unmarshal([]byte(defaults), &back); err != nil || !reflect.DeepEqual(&back, s) {
		t.Errorf("read back %+v, %v", back, err)
	}
}

func TestPatchesMergeIntoStoredSettings(t *testing.T) {
	s := api.DefaultSettings()
	for _, body := range []string{
		`{"searchableAttributes":["a","*"],"sortableAttributes":["b","a","b"],"typoTolerance":{"minWordSizeForTypos":{"oneTypo":4}},
		  "faceting":{"sortFacetValuesBy":{"x":"count"}},"distinctAttribute":"sku",
		  "filterableAttributes":["genre",{"attributePatterns":["a*"]}],
		  "embedders":{"m":{"source":"userProvided","dimensions":3}}}`,
		`{"typoTolerance":{"enabled":false},"rankingRules":["words","price:desc"],"pagination":{"maxTotalHits":5}}`,
		`{"pagination":null,"distinctAttribute":null}`,
	} {
		if err := s.Apply(patch(t, body)); err != nil {
			t.Fatal(err)
		}
	}
	checks := map[string]string{
		encode(t, s.SearchableAttributes): `["*"]`,
		encode(t, s.SortableAttributes):   `["a","b"]`,
		encode(t, s.TypoTolerance): `{"enabled":false,"minWordSizeForTypos":{"oneTypo":4,"twoTypos":9},"disableOnWords":[],` +
			`"disableOnAttributes":[],"disableOnNumbers":false}`,
		encode(t, s.Faceting): `{"maxValuesPerFacet":100,"sortFacetValuesBy":{"*":"alpha","x":"count"}}`,
		encode(t, s.FilterableAttributes): `["genre",{"attributePatterns":["a*"],"features":{"facetSearch":false,` +
			`"filter":{"equality":true,"comparison":false}}}]`,
		encode(t, s.Pagination):   `{"maxTotalHits":1000}`,
		encode(t, s.Embedders):    `{"m":{"source":"userProvided","dimensions":3}}`,
		encode(t, s.RankingRules): `["words","price:desc"]`,
	}
	for got, want := range checks {
		if got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	if s.DistinctAttribute != nil {
		t.Errorf("distinctAttribute is %q after null", *s.DistinctAttribute)
	}
	if err := s.Apply(api.ResetSettings()); err != nil || encode(t, s) != defaults {
		t.Errorf("reset gives %s, %v", encode(t, s), err)
	}
}

func TestBadSettingsAreRefused(t *testing.T) {
	tests := map[string]struct{ body, code, message string }{
		"a wrong type": {`{"searchableAttributes":"a"}`, "invalid_settings_searchable_attributes",
			"Invalid value type at `.searchableAttributes`: expected an array, but found a string: `\"a\"`"},
		"an unknown rule": {`{"rankingRules":["manyTheFish"]}`, "invalid_settings_ranking_rules",
			"Invalid value at `.rankingRules[0]`: `manyTheFish` ranking rule is invalid. Valid ranking rules are words, typo, sort, proximity, attribute, exactness and custom ranking rules."},
		"typo lengths in the wrong order": {`{"typoTolerance":{"minWordSizeForTypos":{"oneTypo":10,"twoTypos":7}}}`,
			"invalid_settings_typo_tolerance", "Invalid value at `.typoTolerance.minWordSizeForTypos`: `minWordSizeForTypos` setting is invalid. `oneTypo` and `twoTypos` fields should be between `0` and `255`, and `twoTypos` should be greater or equals to `oneTypo` but found `oneTypo: 10` and twoTypos: 7`."},
		"no hits at all": {`{"pagination":{"maxTotalHits":0}}`, "invalid_settings_pagination",
			"Invalid value at `.pagination.maxTotalHits`: a non-zero integer value lower than `18446744073709551615` was expected, but found a zero"},
		"mixed attribute rules": {`{"rankingRules":["attribute","wordPosition"]}`, "invalid_settings_ranking_rules",
			"Mixed usage of the attribute, attributeRank, and wordPosition ranking rules. You must either use the attribute ranking rule alone or the attributeRank and wordPosition ranking rules."},
		"an embedder without dimensions": {`{"embedders":{"m":{"source":"userProvided"}}}`, "invalid_settings_embedders",
			"`.embedders.m`: Missing field `dimensions` (note: this field is mandatory for source `userProvided`)"},
		"an embedder with a foreign field": {`{"embedders":{"m":{"source":"userProvided","dimensions":1,"model":"x"}}}`,
			"invalid_settings_embedders", "`.embedders.m`: Field `model` unavailable for source `userProvided`.\n  - note: `model` is available for sources: `openAi`, `huggingFace`, `ollama`\n  - note: available fields for source `userProvided`: `source`, `dimensions`, `distribution`, `binaryQuantized`"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			v, err := api.ParseBody([]byte(tc.body))
			if err != nil {
				t.Fatal(err)
			}
			_, err = api.DecodeSettings(v)
			checkError(t, err, tc.code, tc.message)
		})
	}
}

func TestATaskPrintsItsKeysInOrder(t *testing.T) {
	p := patch(t, `{"displayedAttributes":null,"stopWords":null,"pagination":{"maxTotalHits":7}}`)
	d := &api.Details{SettingsPatch: p}
	if got, want := encode(t, d), `{"displayedAttributes":["*"],"stopWords":null,"pagination":{"maxTotalHits":7}}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	d = &api.Details{ReceivedDocuments: api.Some[uint64](2), IndexedDocuments: api.NullOpt[uint64]()}
	task := &api.Task{UID: 3, Status: api.Enqueued, Type: api.DocumentAdditionOrUpdate, Details: d}
	want := `{"uid":3,"batchUid":null,"indexUid":null,"status":"enqueued","type":"documentAdditionOrUpdate","canceledBy":null,` +
		`"details":{"receivedDocuments":2,"indexedDocuments":null},"error":null,"duration":null,` +
		`"enqueuedAt":"0001-01-01T00:00:00Z","startedAt":null,"finishedAt":null}`
	if got := encode(t, task); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	var back api.Task
	if err := json.Unmarshal([]byte(want), &back); err != nil || encode(t, &back) != want {
		t.Errorf("read back as %s, %v", encode(t, &back), err)
	}
}
