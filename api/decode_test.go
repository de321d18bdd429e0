package api_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/miroir-search/miroir/api"
)

func TestSearchBodiesReportTheFirstFaultInMeilisearchsWords(t *testing.T) {
	tests := map[string]struct{ body, code, message string }{
		"a string where a count belongs": {`{"limit":"x"}`, "invalid_search_limit",
			"Invalid value type at `.limit`: expected a positive integer, but found a string: `\"x\"`"},
		"a negative count": {`{"offset":-1}`, "invalid_search_offset",
			"Invalid value type at `.offset`: expected a positive integer, but found a negative integer: `-1`"},
		"null for a boolean": {`{"showRankingScore":null}`, "invalid_search_show_ranking_score",
			"Invalid value type at `.showRankingScore`: expected a boolean, but found null"},
		"an object for a list": {`{"sort":{"a":[1.5,true]}}`, "invalid_search_sort",
			"Invalid value type at `.sort`: expected an array, but found an object: `{\"a\":[1.5,true]}`"},
		"a wrong list element": {`{"sort":["a:asc",2]}`, "invalid_search_sort",
			"Invalid value type at `.sort[1]`: expected a string, but found a positive integer: `2`"},
		"an unknown strategy": {`{"matchingStrategy":"lst"}`, "invalid_search_matching_strategy",
			"Unknown value `lst` at `.matchingStrategy`: expected one of `last`, `all`, `frequency`"},
		"a strategy with a typo": {`{"matchingStrategy":"frequenci"}`, "invalid_search_matching_strategy",
			"Unknown value `frequenci` at `.matchingStrategy`: did you mean `frequency`? expected one of `last`, `all`, `frequency`"},
		"a threshold over one": {`{"rankingScoreThreshold":1.5}`, "invalid_search_ranking_score_threshold",
			"Invalid value at `.rankingScoreThreshold`: the value of `rankingScoreThreshold` is invalid, expected a float between `0.0` and `1.0`."},
		"hybrid without embedder": {`{"hybrid":{}}`, "invalid_search_hybrid_query", "Missing field `embedder` inside `.hybrid`"},
		"an array at the root": {`[]`, "bad_request",
			"Invalid value type: expected an object, but found an array: `[]`"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			v, err := api.ParseBody([]byte(tc.body))
			if err != nil {
				t.Fatal(err)
			}
			_, err = api.DecodeSearch(v)
			checkError(t, err, tc.code, tc.message)
		})
	}
}

func checkError(t *testing.T, err *api.Error, code, message string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %s", message)
	}
	if err.Code != code || err.Message != message {
		t.Errorf("got  %s %s\nwant %s %s", err.Code, err.Message, code, message)
	}
}

func TestMalformedBodiesNameThePlace(t *testing.T) {
	tests := map[string]string{
		``:              "A json payload is missing.",
		` `:             "The json payload provided is malformed. `EOF while parsing a value at line 1 column 1`.",
		`{`:             "The json payload provided is malformed. `EOF while parsing an object at line 1 column 1`.",
		`{"a":}`:        "The json payload provided is malformed. `expected value at line 1 column 6`.",
		`i am not json`: "The json payload provided is malformed. `expected value at line 1 column 1`.",
		`{"a":1,}`:      "The json payload provided is malformed. `trailing comma at line 1 column 8`.",
		`[1 2]`:         "The json payload provided is malformed. `expected `,` or `]` at line 1 column 4`.",
		"{\n \"a\" 1}":  "The json payload provided is malformed. `expected `:` at line 2 column 6`.",
		`{a:1}`:         "The json payload provided is malformed. `key must be a string at line 1 column 2`.",
		`{} x`:          "The json payload provided is malformed. `trailing characters at line 1 column 4`.",
		`nul`:           "The json payload provided is malformed. `EOF while parsing a value at line 1 column 3`.",
		`01`:            "The json payload provided is malformed. `invalid number at line 1 column 2`.",
	}
	for body, want := range tests {
		t.Run(body, func(t *testing.T) {
			_, err := api.ParseBody([]byte(body))
			if err == nil || err.Message != want {
				t.Errorf("got  %v\nwant %s", err, want)
			}
		})
	}
}

func TestParametersReportTheFirstFault(t *testing.T) {
	tests := map[string]struct{ raw, code, message string }{
		"a count": {"limit=x", "invalid_search_limit", "Invalid value in parameter `limit`: could not parse `x` as a positive integer"},
		"a boolean": {"retrieveVectors=yes", "invalid_search_retrieve_vectors",
			"Invalid value in parameter `retrieveVectors`: could not parse `yes` as a boolean, expected either `true` or `false`"},
		"vector without hybrid": {"vector=1,2", "missing_search_hybrid", "`hybridEmbedder` is mandatory when `vector` is present"},
	}
	for name, tc := range tests {
		t.Run(name, func(t *testing.T) {
			_, err := api.ParseSearch(tc.raw)
			checkError(t, err, tc.code, tc.message)
		})
	}
	_, err := api.ParseTaskQuery("lol=1")
	checkError(t, err, "bad_request", "Unknown parameter `lol`: expected one of `limit`, `from`, `reverse`, `batchUids`, `uids`, "+
		"`canceledBy`, `types`, `statuses`, `indexUids`, `afterEnqueuedAt`, `beforeEnqueuedAt`, `afterStartedAt`, "+
		"`beforeStartedAt`, `afterFinishedAt`, `beforeFinishedAt`")
	_, err = api.ParseTaskQuery("uids=1,x")
	checkError(t, err, "invalid_task_uids", "Invalid value in parameter `uids[1]`: could not parse `x` as a positive integer")
	_, err = api.ParseSimilar("id=1")
	checkError(t, err, "bad_request", "Missing parameter `embedder`")
}

func TestAKeyCloseToAKnownOneIsSuggested(t *testing.T) {
	v, _ := api.ParseBody([]byte(`{"expires_at":1}`))
	var ignored api.Value
	err := api.DecodeObject(v, api.At{}, "bad_request", []api.Field{
		{Name: "uid", Into: api.Raw("", &ignored)}, {Name: "expiresAt", Into: api.Raw("", &ignored)},
	})
	checkError(t, err, "bad_request", "Unknown field `expires_at`: did you mean `expiresAt`? expected one of `uid`, `expiresAt`")
}

func TestGeoPointsSurviveTheSplitOfASortParameter(t *testing.T) {
	got, _ := api.Marshal(api.SplitSort(`_geoPoint(1.5, 2):asc,price:desc`))
	if want := `["_geoPoint(1.5,2):asc","price:desc"]`; string(got) != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestDurationsAreISO8601(t *testing.T) {
	tests := map[time.Duration]string{
		0: "PT0S", time.Second: "PT1S", 123 * time.Millisecond: "PT0.123S", 9330 * time.Microsecond: "PT0.009330S",
		24 * time.Hour: "P1D", 25*time.Hour + 1: "P1DT3600.000000001S",
	}
	for d, want := range tests {
		if got := api.Duration(d).String(); got != want {
			t.Errorf("%v: got %s, want %s", d, got, want)
		}
		var back api.Duration
		if err := json.Unmarshal([]byte(`"`+want+`"`), &back); err != nil || time.Duration(back) != d {
			t.Errorf("%s reads back as %v, %v", want, time.Duration(back), err)
		}
	}
}

func TestSizesUseTheUnitThatFits(t *testing.T) {
	for n, want := range map[int64]string{104857600: "100 MiB", 100000000: "100 MB", 10: "10 B"} {
		if got := api.FormatSize(n); got != want {
			t.Errorf("%d: got %s, want %s", n, got, want)
		}
	}
}
