package auth

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miroir-search/miroir/api"
)

func decodeKey(t *testing.T, body string) (*Key, *api.Error) {
	t.Helper()
	v, err := api.ParseJSON([]byte(body))
	if err != nil {
		t.Fatal(err)
	}
	return DecodeKey(v, testNow)
}

// The outcomes are those of Meilisearch v1.50.
func TestDatesOfExpiry(t *testing.T) {
	for text, want := range map[string]string{
		"2035-01-01T00:00:00+02:00": "2035-01-01T00:00:00+02:00", "2035-01-01": "2035-01-01T00:00:00Z",
		"2035-01-01 10:00:00": "2035-01-01T10:00:00Z", "2035-01-01T10:00:00": "2035-01-01T10:00:00Z",
		"2035-01-01T10:00:00Z": "2035-01-01T10:00:00Z", "2035-01-01t10:00:00z": "2035-01-01T10:00:00Z",
		"2035-01-01 10:00:00Z": "2035-01-01T10:00:00Z", "2035-01-01T10:00:00.5Z": "2035-01-01T10:00:00.5Z",
		"2035-01-01T10:00:00.123456789123Z": "2035-01-01T10:00:00.123456789Z", "2035-01-01T10:00:00-00:00": "2035-01-01T10:00:00Z",
		"9999-12-31": "9999-12-31T00:00:00Z",
		"2020-01-01": "", "2026-11-26T18:00:00Z": "", "2035-13-01": "", "2035-02-30": "", "2035-1-1": "", "": "", "2035-01-01T10:00": "",
		"2035-01-01T24:00:00Z": "", "2035-01-01T10:00:60Z": "", "2035-01-01T10:00:00+0200": "", "2035-01-01T10:00:00.123": "",
		"2035-01-01T1:00:00Z": "", "2035-01-01T10:00:00,5Z": "", "tomorrow": "",
	} {
		k, bad := decodeKey(t, fmt.Sprintf(`{"actions":[],"indexes":[],"expiresAt":%q}`, text))
		switch {
		case bad == nil && want != k.ExpiresAt.Format(time.RFC3339Nano):
			t.Errorf("%q is read as %s, want %q", text, k.ExpiresAt.Format(time.RFC3339Nano), want)
		case bad != nil && (want != "" || bad.Code != "invalid_api_key_expires_at" || !strings.HasSuffix(bad.Message, "HH:MM:SS'.\n")):
			t.Errorf("%q gives %q", text, bad.Message)
		}
	}
}

func TestBodiesOfKeys(t *testing.T) {
	const fields = "expected one of `description`, `name`, `uid`, `actions`, `indexes`, `expiresAt`"
	for body, want := range map[string]string{
		`{"actions":["search"],"indexes":["m*","*"],"expiresAt":null,"name":null,"description":"d"}`:         "",
		`{"actions":["*"],"indexes":["m"],"expiresAt":null}`:                                                 "",
		`{"actions":["*.get","tasks.*"],"indexes":["m"],"expiresAt":null}`:                                   "",
		`{"actions":["metrics.get"],"indexes":[],"expiresAt":null}`:                                          "",
		`{"uid":"urn:uuid:6062abda-a5aa-4414-ac91-ecd7944c0f8d","actions":[],"indexes":[],"expiresAt":null}`: "",
		`{"uid":"{6062ABDA-A5AA-4414-AC91-ECD7944C0F8D}","actions":[],"indexes":[],"expiresAt":null}`:        "",
		`{"uid":"6062abdaa5aa4414ac91ecd7944c0f8d","actions":[],"indexes":[],"expiresAt":null}`:              "",
		`{}`:                                "missing_api_key_actions Missing field `actions`",
		`{"actions":[]}`:                    "missing_api_key_indexes Missing field `indexes`",
		`{"actions":[],"indexes":[]}`:       "missing_api_key_expires_at Missing field `expiresAt`",
		`[]`:                                "bad_request Invalid value type: expected an object, but found an array: `[]`",
		`{"action":[]}`:                     "bad_request Unknown field `action`: did you mean `actions`? " + fields,
		`{"key":"x"}`:                       "bad_request Unknown field `key`: " + fields,
		`{"name":5}`:                        "invalid_api_key_name Invalid value type at `.name`: expected a string, but found a positive integer: `5`",
		`{"uid":null}`:                      "invalid_api_key_uid Invalid value type at `.uid`: expected a string, but found null",
		`{"uid":""}`:                        "invalid_api_key_uid Invalid value at `.uid`: invalid length: found 0",
		`{"uid":"6062abda-a5aa-4414-ac91"}`: "invalid_api_key_uid Invalid value at `.uid`: invalid group count: expected 5, found 4",
		`{"uid":"6062abda-a5aa-4414-ac9-1ecd7944c0f9"}`:    "invalid_api_key_uid Invalid value at `.uid`: invalid group length in group 3: expected 4, found 3",
		`{"uid":"6062abda-a5aa-4414-ac91-ecd7944c0f9é"}`:   "invalid_api_key_uid Invalid value at `.uid`: invalid character: found `é` at 35",
		`{"uid":"x6062abda-a5aa-4414-ac91-ecd7944c0f9dx"}`: "invalid_api_key_uid Invalid value at `.uid`: invalid character: found `x` at 0",
		`{"actions":"search"}`:                             "invalid_api_key_actions Invalid value type at `.actions`: expected an array, but found a string: `\"search\"`",
		`{"actions":[1]}`:                                  "invalid_api_key_actions Invalid value type at `.actions[0]`: expected a string, but found a positive integer: `1`",
		`{"actions":["documents.addd"]}`:                   "invalid_api_key_actions Unknown value `documents.addd` at `.actions[0]`: did you mean `documents.add`? expected one of `*`, `search`, ",
		`{"indexes":[null]}`:                               "invalid_api_key_indexes Invalid value type at `.indexes[0]`: expected a string, but found null",
		`{"indexes":["**"]}`:                               "invalid_api_key_indexes Invalid value at `.indexes[0]`: `*` is not a valid index uid pattern. Index uid patterns can be",
		`{"indexes":["a*b"]}`:                              "invalid_api_key_indexes Invalid value at `.indexes[0]`: `a*b` is not a valid index uid pattern. Index uid patterns can be",
		`{"indexes":[""]}`:                                 "invalid_api_key_indexes Invalid value at `.indexes[0]`: `` is not a valid index uid pattern. Index uid patterns can be",
		`{"expiresAt":5}`:                                  "invalid_api_key_expires_at Invalid value type at `.expiresAt`: expected a string, but found a positive integer: `5`",
		`{"actions":["search","version"],"indexes":["m"],"expiresAt":null}`: "index_scoped_api_key_with_global_action cannot create index-scoped API key with global action `\"version\"`\n" +
			"  - Hint: remove action `\"version\"` from the action list, or remove `indexes` to make the key global",
		`{"actions":["chats.get"],"indexes":["m"],"expiresAt":null}`: "index_scoped_api_key_with_global_action cannot create index-scoped API key with global action `\"chats.get\"`",
	} {
		k, bad := decodeKey(t, body)
		if bad == nil {
			if want != "" || len(k.UID) != 36 || strings.ToLower(k.UID) != k.UID {
				t.Errorf("%s gives %+v, want %s", body, k, want)
			}
			continue
		}
		if got := bad.Code + " " + bad.Message; want == "" || !strings.HasPrefix(got, want) {
			t.Errorf("%s gives\n%s, want\n%s", body, got, want)
		}
	}
}

func TestOnlyNameAndDescriptionChange(t *testing.T) {
	name := "old"
	key := &Key{Name: &name, UID: searchUID, UpdatedAt: testNow}
	for body, want := range map[string]string{
		`{}`: "old <nil>", `{"name":"a"}`: "a <nil>", `{"name":null,"description":"d"}`: "<nil> d",
		`{"uid":"x"}`:        "immutable_api_key_uid Immutable field `uid`: expected one of `description`, `name`",
		`{"actions":[]}`:     "immutable_api_key_actions Immutable field `actions`: expected one of `description`, `name`",
		`{"indexes":[]}`:     "immutable_api_key_indexes Immutable field `indexes`: expected one of `description`, `name`",
		`{"expiresAt":null}`: "immutable_api_key_expires_at Immutable field `expiresAt`: expected one of `description`, `name`",
		`{"createdAt":1}`:    "immutable_api_key_created_at Immutable field `createdAt`: expected one of `description`, `name`",
		`{"updatedAt":1}`:    "immutable_api_key_updated_at Immutable field `updatedAt`: expected one of `description`, `name`",
		`{"nam":1}`:          "bad_request Unknown field `nam`: expected one of `description`, `name`",
		`{"name":5}`:         "invalid_api_key_name Invalid value type at `.name`: expected a string, but found a positive integer: `5`",
		`[]`:                 "bad_request Invalid value type: expected an object, but found an array: `[]`",
	} {
		v, err := api.ParseJSON([]byte(body))
		if err != nil {
			t.Fatal(err)
		}
		p, bad := DecodePatch(v)
		var got string
		if bad != nil {
			got = bad.Code + " " + bad.Message
		} else {
			next := p.Apply(key, testNow.Add(time.Second))
			got = text(next.Name) + " " + text(next.Description)
			if !next.UpdatedAt.After(key.UpdatedAt) {
				t.Errorf("%s leaves the time of change", body)
			}
		}
		if got != want {
			t.Errorf("%s gives %s, want %s", body, got, want)
		}
	}
	if *key.Name != "old" {
		t.Error("a key was changed in place")
	}
}

func text(s *string) string {
	if s == nil {
		return "<nil>"
	}
	return *s
}

func TestWhatActionsStandFor(t *testing.T) {
	for _, tc := range []struct{ has, may, mayNot string }{
		{"*", "search documents.* documents.add keys.create version export fields.post tasks.compact", "*.get miroir.admin"},
		{"*.get", "search documents.get export version fields.post stats.get dynamicSearchRules.get", "keys.get documents.add dumps.create chatCompletions documents.*"},
		{"documents.*", "documents.add documents.get documents.delete", "documents.* search indexes.get"},
		{"chats.*", "chats.get chats.delete", "chatsSettings.get chatCompletions"},
		{"keys.get", "keys.get", "keys.create"},
		{"", "", "search *.get"},
	} {
		got := expand(strings.Fields(tc.has))
		for _, a := range strings.Fields(tc.may) {
			if !got[a] {
				t.Errorf("%s does not stand for %s", tc.has, a)
			}
		}
		for _, a := range strings.Fields(tc.mayNot) {
			if got[a] {
				t.Errorf("%s stands for %s", tc.has, a)
			}
		}
	}
	for _, a := range append(reads, "indexes.create", "search") {
		if !slices.Contains(Actions(), a) {
			t.Errorf("%s is no action", a)
		}
	}
}

// Routes that name no index take keys of some indexes only where they show or take
// those alone.
func TestKeysOfSomeIndexes(t *testing.T) {
	some := &Key{UID: searchUID, Actions: []string{"*"}, Indexes: []string{"films", "m*"}}
	none := &Key{UID: docsUID, Actions: []string{"*"}, Indexes: []string{}}
	r := NewRing(testMaster, []*Key{some, none})
	ask := func(k *Key, action, index string) string {
		return outcome(r.Authorize(Value(testMaster, k.UID), action, index, testNow))
	}
	for _, a := range Actions() {
		open := slices.Contains(strings.Fields("search chatCompletions documents.get settings.get stats.get indexes.create indexes.get indexes.swap tasks.get tasks.cancel tasks.delete"), a)
		if got := ask(some, a, ""); (got == "") != open {
			t.Errorf("%s without an index: %q", a, got)
		}
		if got := ask(some, a, "movies"); a != "*.get" && got != "" {
			t.Errorf("%s in an index of the key: %q", a, got)
		}
		if got := ask(some, a, "books"); got != "The API key cannot acces the index `books`, authorized indexes are [\"films\", \"m*\"]." {
			t.Errorf("%s in another index: %q", a, got)
		}
		if got := ask(none, a, ""); got == "" {
			t.Errorf("a key of no index may %s", a)
		}
	}
	if got := ask(some, "miroir.admin", ""); got == "" {
		t.Error("an API key administers")
	}
}

func TestTheDefaultKeys(t *testing.T) {
	keys := Defaults(testNow)
	listed := NewRing(testMaster, []*Key{keys[2], keys[0], keys[3], keys[1]}).Keys()
	for i, want := range []string{"Default Search API Key search", "Default Admin API Key *", "Default Read-Only Admin API Key *.get keys.get", "Default Chat API Key chatCompletions search"} {
		if got := *listed[i].Name + " " + strings.Join(listed[i].Actions, " "); got != want {
			t.Errorf("key %d is %s", i, got)
		}
	}
}

func TestKeysAreFoundByUIDAndValue(t *testing.T) {
	r := testRing()
	for text, want := range map[string]string{
		searchUID: searchUID, strings.ToUpper(searchUID): searchUID, strings.ReplaceAll(searchUID, "-", ""): searchUID,
		Value(testMaster, searchUID): searchUID, strings.ToUpper(Value(testMaster, searchUID)): searchUID,
		goneUID: "API key `" + goneUID + "` not found.", strings.ReplaceAll(goneUID, "-", ""): "API key `" + goneUID + "` not found.",
		"nope": "API key `nope` not found.", testMaster: "API key `" + testMaster + "` not found.",
	} {
		k, bad := r.Find(text)
		got := ""
		if bad != nil {
			got = bad.Message
		} else {
			got = k.UID
		}
		if got != want {
			t.Errorf("%s gives %s", text, got)
		}
	}
}
