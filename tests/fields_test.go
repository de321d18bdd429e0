package tests

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// fieldLists ask for fields in every way.
func fieldLists() []question {
	return posts("/fields", `{}`, `{"limit":3}`, `{"offset":2,"limit":2}`, `{"limit":0}`, `{"offset":100}`, `{"filter":null}`, `{"filter":{}}`,
		`{"filter":{"attributePatterns":["*"]}}`, `{"filter":{"attributePatterns":["t*"]}}`, `{"filter":{"attributePatterns":["*i*","id"]}}`, `{"filter":{"attributePatterns":["_geo"]}}`,
		`{"filter":{"attributePatterns":[]}}`, `{"filter":{"attributePatterns":["_*"]},"limit":1}`, `{"filter":{"displayed":true}}`, `{"filter":{"displayed":false}}`,
		`{"filter":{"searchable":true}}`, `{"filter":{"sortable":true,"filterable":false}}`, `{"filter":{"distinct":true}}`, `{"filter":{"rankingRule":true}}`, `{"filter":{"filterable":true},"limit":100}`,
		`{"limit":-1}`, `{"lol":1}`, `{"filter":{"lol":1}}`, `{"filter":{"displayed":"x"}}`, `{"filter":{"attributePatterns":"x"}}`, `[]`, `{`)
}

func TestFieldsAreThoseOfOneNode(t *testing.T) {
	overTopologies(t, wareSettings, []string{wares(0, 60)}, func(t *testing.T, w twins) {
		asked := fieldLists()
		if os.Getenv("MEILISEARCH_BIN") == "" { // an embedded node takes a pattern for what is nested in it, too
			asked = slices.DeleteFunc(asked, func(q question) bool { return strings.Contains(q.body, `["_geo"]`) })
		}
		w.same(t, asked...)
		w.setting(t, `{"displayedAttributes":["id","title"],"searchableAttributes":["title","tags"],"distinctAttribute":"family","rankingRules":["words","size:desc"],`+
			`"filterableAttributes":[{"attributePatterns":["k*"],"features":{"facetSearch":true,"filter":{"equality":false,"comparison":false}}}],`+
			`"localizedAttributes":[{"attributePatterns":["t*"],"locales":["eng"]}],"faceting":{"sortFacetValuesBy":{"kind":"count"}}}`)
		w.same(t, asked...)
	})
}
