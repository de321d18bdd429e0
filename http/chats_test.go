package http

import (
	"strings"
	"testing"

	"github.com/miroir-search/miroir/messages"
)

func TestChatWorkspaces(t *testing.T) {
	s := start(t, newFakeDoor(), nil)
	send(t, s, "PATCH", "/experimental-features", `{"chatCompletions":true}`, asJSON...)
	for _, q := range []struct {
		call, body string
		status     int
		has        string
	}{
		{"GET /chats", "", 200, `{"results":[],"offset":0,"limit":20,"total":0}`},
		{"DELETE /chats/shop/settings", "", 404, "Chat `shop` not found"},
		{"PATCH /chats/shop/settings", `{"nope":1}`, 400, "Unknown field `nope`"},
		{"PATCH /chats/shop/settings", `{"source":"vLlm"}`, 400, "vLlm requires setting a valid `baseUrl`"},
		{"PATCH /chats/shop/settings", `{"source":"mistral","apiKey":"a-secret-of-the-shop","prompts":{"system":"Be kind."}}`, 200, `"source":"mistral"`},
		{"PATCH /chats/shop/settings", `{"orgId":"org"}`, 200, `"source":"mistral","orgId":"org"`},
		{"GET /chats/shop/settings", "", 200, `"system":"Be kind."`},
		{"PATCH /chats/other/settings", `{}`, 200, `"source":"openAi"`},
		{"GET /chats?limit=1", "", 200, `{"results":[{"uid":"other"}],"offset":0,"limit":1,"total":2}`},
		{"GET /chats?offset=1", "", 200, `{"results":[{"uid":"shop"}],"offset":1,"limit":20,"total":2}`},
		{"GET /chats/shop", "", 200, `{"uid":"shop"}`},
		{"DELETE /chats/shop/settings", "", 200, `"source":"openAi","orgId":null`},
		{"POST /chats/shop/chat/completions", `{"model":"m","messages":[]}`, 501, "miroir_not_supported"},
		{"DELETE /chats/shop", "", 204, ""},
		{"GET /chats/shop", "", 404, "chat shop not found"},
	} {
		method, path, _ := strings.Cut(q.call, " ")
		r := send(t, s, method, path, q.body, asJSON...)
		if r.status != q.status || !strings.Contains(r.body, q.has) || strings.Contains(r.body, "a-secret-of-the-shop") {
			t.Errorf("%s %s is %d %s", q.call, q.body, r.status, r.body)
		}
	}
}

// The settings of experimental features are shown while these are on.
func TestSettingsOfFeatures(t *testing.T) {
	door := newFakeDoor()
	s := start(t, door, nil)
	all := func() string { return send(t, s, "GET", "/indexes/films/settings", "").body }
	if strings.Contains(all(), `"chat"`) || strings.Contains(all(), `"foreignKeys"`) {
		t.Errorf("shown while it is off: %s", all())
	}
	send(t, s, "PATCH", "/experimental-features", `{"chatCompletions":true,"foreignKeys":true}`, asJSON...)
	if !strings.Contains(all(), `"chat":{"description":""`) || !strings.Contains(all(), `"foreignKeys":[],"rankingRules"`) {
		t.Errorf("while it is on: %s", all())
	}
	if r := send(t, s, "PATCH", "/indexes/films/settings/chat", `{"description":"Films"}`, asJSON...); r.status != 202 || !strings.Contains(string(door.writes[0].(*messages.UpdateSettings).Patch), `"chat":{"description":"Films"}`) {
		t.Errorf("a change is %d %s", r.status, r.body)
	}
}
