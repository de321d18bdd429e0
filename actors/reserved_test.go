package actors

import (
	"fmt"
	"strings"
	"testing"

	"github.com/miroir-search/miroir/api"
	"github.com/miroir-search/miroir/messages"
	"github.com/miroir-search/miroir/topology"
)

// spellings are ways to write the name of a field of ours in JSON.
func spellings() []string {
	name := topology.ShardField
	out := []string{name}
	all := ""
	for i := range len(topology.ReservedPrefix) {
		escape := fmt.Sprintf(`\u%04x`, name[i])
		all += escape
		out = append(out, name[:i]+escape+name[i+1:], name[:i]+`\u`+strings.ToUpper(escape[2:])+name[i+1:])
	}
	return append(out, all+name[len(topology.ReservedPrefix):], `\\`+name, `\u005c`+name)
}

func TestOurFieldsCannotBeNamedHoweverTheyAreSpelt(t *testing.T) {
	for _, name := range spellings() {
		for _, c := range []struct {
			msg   any
			where string
		}{
			{&messages.Search{Body: []byte(`{"q":"a","filter":"` + name + ` = 1"}`)}, "filter"},
			{&messages.Search{Body: []byte(`{"filter":[["a = 1","` + name + ` = 1"]]}`)}, "filter"},
			{&messages.Search{Body: []byte(`{"facets":["` + name + `"]}`)}, "facets"},
			{&messages.Search{Body: []byte(`{"distinct":"` + name + `"}`)}, "distinct"},
			{&messages.Search{Body: []byte(`{"sort":["` + name + `:asc"]}`)}, "sort"},
			{&messages.Search{Body: []byte(`{"attributesToSearchOn":["` + name + `"]}`)}, "attributesToSearchOn"},
			{&messages.Search{Body: []byte(`{"attributesToHighlight":["` + name + `"]}`)}, "attributesToHighlight"},
			{&messages.FacetSearch{Body: []byte(`{"facetName":"` + name + `"}`)}, "facetName"},
			{&messages.FacetSearch{Body: []byte(`{"facetName":"a","filter":"` + name + ` = 1"}`)}, "filter"},
			{&messages.Similar{Body: []byte(`{"id":1,"filter":"` + name + ` = 1"}`)}, "filter"},
			{&messages.BrowseDocuments{Body: []byte(`{"filter":"` + name + ` = 1"}`)}, "filter"},
			{&messages.BrowseDocuments{Body: []byte(`{"sort":["` + name + `:asc"]}`)}, "sort"},
			{&messages.BrowseDocuments{Body: []byte(`{"fields":["` + name + `"]}`)}, "fields"},
		} {
			checkReserved(t, fmt.Sprintf("%T with %s", c.msg, name), reservedIn(c.msg), c.where)
		}
		_, bad := newSettingsWrite(settingsOf("films", `{"filterableAttributes":["`+name+`"]}`))
		checkReserved(t, "settings with "+name, bad, "filterableAttributes")
		_, bad = (&Cluster{}).newWrite(&messages.DeleteDocumentsByFilter{IndexUID: "films", Filter: []byte(`"` + name + ` = 1"`)})
		checkReserved(t, "deletion with "+name, bad, "filter")
	}
}

func checkReserved(t *testing.T, what string, err *api.Error, where string) {
	t.Helper()
	if err == nil || err.Code != "miroir_reserved_field" || !strings.Contains(err.Message, "`"+where+"`") {
		t.Errorf("%s: %v", what, err)
	}
}

func TestFederatedSearchesCannotNameOurFields(t *testing.T) {
	c, _ := startFixed(t, 1, 1)
	for _, name := range spellings() {
		for _, body := range []string{
			`{"federation":{},"queries":[{"indexUid":"films","filter":"` + name + ` = 1"}]}`,
			`{"federation":{"distinct":"` + name + `"},"queries":[{"indexUid":"films"}]}`,
			`{"federation":{"facetsByIndex":{"films":["` + name + `"]}},"queries":[{"indexUid":"films"}]}`,
		} {
			if _, _, bad := c.newFederatedJob([]byte(body), false); bad == nil || bad.Code != "miroir_reserved_field" {
				t.Errorf("%s: %v", body, bad)
			}
		}
	}
}

func TestWordsOfAQueryMayLookLikeOurFields(t *testing.T) {
	for _, body := range []string{
		`{"q":"_miroir_shard"}`, `{"facetName":"a","facetQuery":"\u005fmiroir_"}`, `{"q":"caf\u00e9","filter":"_mir\u00e9ir = 1"}`,
		`{"filter":"a = '\\u005fmiroir_'"}`, // a backslash, and no escape
	} {
		if bad := reservedIn(&messages.Search{Body: []byte(body)}); bad != nil {
			t.Errorf("%s: %v", body, bad)
		}
	}
}
