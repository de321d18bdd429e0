package http

import (
	"encoding/json"
	"errors"
	"reflect"
	"testing"

	"github.com/miroir-search/miroir/api"
)

// ruled is a call by a tenant that may see drama only, in movies.
func ruled(rule string) *call {
	v, err := api.ParseJSON([]byte(rule))
	if err != nil {
		panic(err)
	}
	return &call{grant: &Grant{Filter: func(index string) *api.Value {
		if index == "movies" {
			return &v
		}
		return nil
	}}}
}

func TestATenantsFilterIsInEveryBody(t *testing.T) {
	c := ruled(`"genre = drama"`)
	for body, want := range map[string]string{
		`{}`:                               `{"filter":"genre = drama"}`,
		`{"q":"x","vector":[1.5,2]}`:       `{"q":"x","vector":[1.5,2],"filter":"genre = drama"}`,
		`{"filter":null}`:                  `{"filter":"genre = drama"}`,
		`{"filter":"a = 1"}`:               `{"filter":["a = 1","genre = drama"]}`,
		`{"filter":["a = 1",["b"]],"q":1}`: `{"filter":["a = 1",["b"],"genre = drama"],"q":1}`,
		`{"filter":[]}`:                    `{"filter":["genre = drama"]}`,
		`{"filter":{}}`:                    `{"filter":[{},"genre = drama"]}`,
		`{"filter":"a","filter":"b"}`:      `{"filter":["b","genre = drama"]}`,
		`{"f\u0069lter":"b"}`:              `{"filter":["b","genre = drama"]}`,
		`{"Filter":"b"}`:                   `{"Filter":"b","filter":"genre = drama"}`,
	} {
		got, err := c.withRule("movies", []byte(body))
		if err != nil || string(got) != want {
			t.Errorf("%s becomes %s, %v", body, got, err)
		}
		if got, err := c.withRule("books", []byte(body)); err != nil || string(got) != body {
			t.Errorf("without a rule %s becomes %s, %v", body, got, err)
		}
	}
	for body, code := range map[string]string{`[]`: "bad_request", `{`: "malformed_payload", `{}x`: "malformed_payload", ``: "malformed_payload"} {
		_, err := c.withRule("movies", []byte(body))
		var e *api.Error
		if !errors.As(err, &e) || e.Code != code {
			t.Errorf("%s gives %v", body, err)
		}
	}
}

func FuzzATenantsFilterIsInEveryBody(f *testing.F) {
	for _, s := range []string{`{}`, `{"filter":"a","q":"\u0000"}`, `{"filter":[["a"]],"x":1e5}`, `{"f\u0069lter":{},"filter":null}`} {
		f.Add([]byte(s))
	}
	const rule = "genre = drama"
	c := ruled(`"` + rule + `"`)
	f.Fuzz(func(t *testing.T, body []byte) {
		got, err := c.withRule("movies", body)
		if err != nil {
			return
		}
		var before, after map[string]any
		if json.Unmarshal(body, &before) != nil {
			t.Skip("not what this reader takes")
		}
		if err := json.Unmarshal(got, &after); err != nil {
			t.Fatalf("%s becomes %s: %v", body, got, err)
		}
		if list, isList := after["filter"].([]any); isList && (len(list) == 0 || list[len(list)-1] != rule) || !isList && after["filter"] != rule {
			t.Fatalf("%s becomes %s", body, got)
		}
		delete(before, "filter")
		delete(after, "filter")
		if !reflect.DeepEqual(before, after) {
			t.Fatalf("%s becomes %s", body, got)
		}
	})
}
