package api

import "testing"

// refusedWell checks that an error is one that a client can be shown.
func refusedWell(t *testing.T, what string, input any, err *Error) {
	t.Helper()
	if err != nil && (err.Code == "" || err.Message == "" || err.Status() < 400 || err.Status() >= 500) {
		t.Fatalf("%s of %q is refused with %+v", what, input, err)
	}
}

// No decoder of a body gives in to any JSON, and what it refuses is the client's fault.
func FuzzDecodeBodies(f *testing.F) {
	for _, body := range []string{
		`{"queries":[{"indexUid":"a","q":"b","federationOptions":{"weight":2,"queryPosition":1}}],"federation":{"limit":1,"facetsByIndex":{"a":["b"]},"mergeFacets":{"maxValuesPerFacet":3}}}`,
		`{"facetName":"a","facetQuery":"b","filter":["a = 1"]}`, `{"id":1,"embedder":"e","limit":3,"rankingScoreThreshold":0.5}`,
		`{"offset":1,"limit":2,"fields":["*"],"ids":[1,"a"],"sort":["a:asc"],"filter":null}`, `{"filter":{"attributePatterns":["a*"],"displayed":true}}`,
		`{"rankingRules":["words","a:desc"],"typoTolerance":{"minWordSizeForTypos":{"oneTypo":9}},"synonyms":{"a":["b"]},"faceting":{"sortFacetValuesBy":{"*":"count"}},` +
			`"filterableAttributes":["a",{"attributePatterns":["b"],"features":{"facetSearch":true,"filter":{"equality":false}}}],"localizedAttributes":[{"locales":["eng"],"attributePatterns":["*"]}]}`,
		`{"embedders":{"e":{"source":"rest","url":"http://a","request":{"a":"{{text}}"},"response":{"b":"{{embedding}}"},"dimensions":3,"distribution":{"mean":0.5,"sigma":0.1}},"f":null}}`,
		`{"chat":{"searchParameters":{"hybrid":{"embedder":"e"},"limit":2}},"foreignKeys":[{"foreignIndexUid":"a","fieldName":"b"}]}`,
		`[{"indexes":["a","b"],"rename":true},{"indexes":["c"]}]`, `{"url":"http://[::1]:x/","headers":{"A":"b","c":null}}`, `{"url":"mailto:a","uuid":1}`,
		`{"source":"azureOpenAi","prompts":{"system":null},"apiKey":"k"}`, `null`, `[]`, `{"a":1e400}`,
	} {
		f.Add([]byte(body))
	}
	on := func(string) bool { return true }
	f.Fuzz(func(t *testing.T, body []byte) {
		v, err := ParseJSON(body)
		if err != nil {
			return
		}
		for name, decode := range map[string]func() *Error{
			"multi-search":  func() *Error { _, err := DecodeMultiSearch(v); return err },
			"facet search":  func() *Error { _, err := DecodeFacetSearch(v); return err },
			"similar":       func() *Error { _, err := DecodeSimilar(v); return err },
			"browse":        func() *Error { _, err := DecodeBrowse(v); return err },
			"fields":        func() *Error { _, err := DecodeFields(v); return err },
			"settings":      func() *Error { _, err := DecodeSettings(v); return err },
			"all settings":  func() *Error { _, err := DecodeSettingsWith(v, on); return err },
			"swaps":         func() *Error { _, err := DecodeSwaps(v, on); return err },
			"workspace":     func() *Error { _, err := DecodeChatWorkspace(v); return err },
			"new webhook":   func() *Error { return webhookOf(v, true) },
			"other webhook": func() *Error { return webhookOf(v, false) },
		} {
			refusedWell(t, name, body, decode())
		}
		for _, s := range SettingTable() {
			_, err := s.DecodeWith(v, on)
			refusedWell(t, s.Name, body, err)
		}
	})
}

func webhookOf(v Value, fresh bool) *Error {
	n, err := DecodeWebhook(v)
	switch {
	case err != nil:
		return err
	case fresh:
		_, err = n.Create("a", 0)
	default:
		_, err = n.Patch("a", &Webhook{URL: "http://a", Headers: map[string]string{"a": "b"}})
	}
	return err
}

// No reader of parameters or parts of a path gives in to any text.
func FuzzParseParameters(f *testing.F) {
	for _, raw := range []string{
		"limit=3&from=1&reverse=true&uids=1,2&statuses=failed,*&types=indexSwap&afterEnqueuedAt=2024-01-02&beforeFinishedAt=2024-01-02T03:04:05.6Z", "uids=*&canceledBy=", "a%zz=%FF&&=",
		"offset=1&limit=2&fields=a,b&ids=1,%2C&filter=%5B%22a%22%5D&sort=a:asc&retrieveVectors=true", "primaryKey=a&csvDelimiter=%09&customMetadata=x&skipCreation=TRUE",
		"afterStartedAt=2024-13-45", "limit=18446744073709551616", "6a4b7a4e-4a5e-4c58-8c0a-0a8f6d6a7c11", "{6a4b7a4e4a5e4c588c0a0a8f6d6a7c11}", "urn:uuid:", "42",
	} {
		f.Add(raw)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		for name, parse := range map[string]func() *Error{
			"tasks":    func() *Error { _, err := ParseTaskQuery(raw); return err },
			"filters":  func() *Error { _, err := ParseTaskFilters(raw, "cancel"); return err },
			"browse":   func() *Error { _, err := ParseBrowse(raw); return err },
			"document": func() *Error { _, err := ParseDocumentView(raw); return err },
			"write":    func() *Error { _, err := ParseWriteParams(raw); return err },
			"metadata": func() *Error { _, err := ParseMetadata(raw); return err },
			"page":     func() *Error { _, _, err := ParsePage(raw, "invalid_index_offset", "invalid_index_limit"); return err },
			"task":     func() *Error { _, err := ParseTaskUID(raw); return err },
			"webhook":  func() *Error { _, err := ParseWebhookUUID(raw); return err },
		} {
			refusedWell(t, name, raw, parse())
		}
	})
}
