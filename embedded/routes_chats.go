package embedded

import (
	"maps"
	"net/http"
	"slices"

	"github.com/google/uuid"

	"github.com/miroir-search/miroir/api"
)

// chatRoutes are the settings of chat workspaces. The chats themselves need a language model, which is out of reach.
func chatRoutes() []route {
	return []route{
		{method: "GET", path: "/chats", action: "chats.get", handle: listChats},
		{method: "GET", path: "/chats/:ws", action: "chats.get", handle: getChat},
		{method: "DELETE", path: "/chats/:ws", action: "chats.delete", handle: deleteChat},
		{method: "GET", path: "/chats/:ws/settings", action: "chatsSettings.get", handle: getChatSettings},
		{method: "PATCH", path: "/chats/:ws/settings", action: "chatsSettings.update", handle: patchChatSettings},
		{method: "DELETE", path: "/chats/:ws/settings", action: "chatsSettings.update", handle: resetChatSettings},
		{method: "POST", path: "/chats/:ws/chat/completions", action: "chatCompletions", handle: chatCompletion},
	}
}

// chatSettings are the settings of one workspace. They are replaced, never changed.
type chatSettings struct {
	Source       string      `json:"source"`
	OrgID        *string     `json:"orgId"`
	ProjectID    *string     `json:"projectId"`
	APIVersion   *string     `json:"apiVersion"`
	DeploymentID *string     `json:"deploymentId"`
	BaseURL      *string     `json:"baseUrl"`
	APIKey       *string     `json:"apiKey"`
	Prompts      chatPrompts `json:"prompts"`
}

type chatPrompts struct {
	System              string `json:"system"`
	SearchDescription   string `json:"searchDescription"`
	SearchQParam        string `json:"searchQParam"`
	SearchFilterParam   string `json:"searchFilterParam"`
	SearchIndexUIDParam string `json:"searchIndexUidParam"`
}

// defaultPrompts are not the texts of the real server: no model reads them here.
func defaultPrompts() chatPrompts {
	return chatPrompts{"Answer from what the search tool finds.", "Search the documents.", "The words to search for.",
		"The filter of the search. These fields can be filtered on: ", "The index to search in."}
}

func defaultChatSettings() *chatSettings {
	return &chatSettings{Source: "openAi", Prompts: defaultPrompts()}
}

func (s *chatSettings) masked() *chatSettings {
	n := *s
	if n.APIKey != nil {
		key := api.HideSecret(*n.APIKey)
		n.APIKey = &key
	}
	return &n
}

func (c *core) chat(uid string) *chatSettings {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.chats[uid]
}

// putChat keeps the settings of a workspace, or forgets them when s is nil.
func (c *core) putChat(uid string, s *chatSettings) *api.Error {
	return remember(c, metaChats, &c.chats, func(old map[string]*chatSettings) map[string]*chatSettings {
		next := make(map[string]*chatSettings, len(old)+1)
		maps.Copy(next, old)
		next[uid] = s
		if s == nil {
			delete(next, uid)
		}
		return next
	})
}

type chatView struct {
	UID string `json:"uid"`
}

func listChats(r *request) (*reply, *api.Error) {
	if err := r.core.require("chatCompletions", "listing the chats"); err != nil {
		return nil, err
	}
	offset, limit, err := api.ParsePage(r.URL.RawQuery, "invalid_index_offset", "invalid_index_limit")
	if err != nil {
		return nil, err
	}
	c := r.core
	c.mu.RLock()
	uids := slices.Sorted(maps.Keys(c.chats))
	c.mu.RUnlock()
	views := make([]chatView, len(uids))
	for i, uid := range uids {
		views[i].UID = uid
	}
	return ok(cut(views, offset, limit))
}

func getChat(r *request) (*reply, *api.Error) {
	uid := r.params["ws"]
	if err := r.core.require("chatCompletions", "displaying a chat"); err != nil {
		return nil, err
	}
	if err := api.CheckIndexUID(uid); err != nil {
		return nil, err
	}
	if r.core.chat(uid) == nil {
		return nil, api.NewError("chat_not_found", "chat "+uid+" not found")
	}
	return ok(chatView{uid})
}

func deleteChat(r *request) (*reply, *api.Error) {
	uid := r.params["ws"]
	if err := r.core.require("chatCompletions", "deleting a chat"); err != nil {
		return nil, err
	}
	if r.core.chat(uid) == nil {
		return nil, api.NewError("chat_not_found", "chat "+uid+" not found")
	}
	if err := r.core.putChat(uid, nil); err != nil {
		return nil, err
	}
	return &reply{status: http.StatusNoContent}, nil
}

func (r *request) chatOfPath() (string, *chatSettings, *api.Error) {
	uid := r.params["ws"]
	if err := r.core.require("chatCompletions", "using the /chats/settings route"); err != nil {
		return uid, nil, err
	}
	s := r.core.chat(uid)
	if s == nil {
		return uid, nil, api.NewError("chat_not_found", "Chat `"+uid+"` not found")
	}
	return uid, s, nil
}

func getChatSettings(r *request) (*reply, *api.Error) {
	_, s, err := r.chatOfPath()
	if err != nil {
		return nil, err
	}
	return ok(s.masked())
}

func resetChatSettings(r *request) (*reply, *api.Error) {
	uid, _, err := r.chatOfPath()
	if err != nil {
		return nil, err
	}
	s := defaultChatSettings()
	if err := r.core.putChat(uid, s); err != nil {
		return nil, err
	}
	return ok(s)
}

// chatChange is the body of PATCH.
type chatChange struct {
	source                                                      api.Opt[string]
	orgID, projectID, apiVersion, deploymentID, baseURL, apiKey api.Opt[string]
	prompts                                                     api.Opt[promptsChange]
}

type promptsChange struct{ system, description, q, filter, index api.Opt[string] }

func readPrompts(code string, p *promptsChange) api.Into {
	return api.ObjectInto(code, func() []api.Field {
		const prefix = "invalid_chat_completion_"
		return []api.Field{
			{Name: "system", Into: api.OptOf(prefix+"system_prompt", &p.system, api.Text)},
			{Name: "searchDescription", Into: api.OptOf(prefix+"search_description_prompt", &p.description, api.Text)},
			{Name: "searchQParam", Into: api.OptOf(prefix+"search_query_param_prompt", &p.q, api.Text)},
			{Name: "searchFilterParam", Into: api.OptOf(prefix+"search_filter_param_prompt", &p.filter, api.Text)},
			{Name: "searchIndexUidParam", Into: api.OptOf(prefix+"search_index_uid_param_prompt", &p.index, api.Text)},
		}
	})
}

func (r *request) chatChange() (*chatChange, *api.Error) {
	n := &chatChange{}
	const prefix = "invalid_chat_completion_"
	return n, r.object(
		api.Field{Name: "source", Into: api.OptOf("bad_request", &n.source, api.OneOf("openAi", "mistral", "azureOpenAi", "vLlm"))},
		api.Field{Name: "orgId", Into: api.OptOf(prefix+"org_id", &n.orgID, api.Text)},
		api.Field{Name: "projectId", Into: api.OptOf(prefix+"project_id", &n.projectID, api.Text)},
		api.Field{Name: "apiVersion", Into: api.OptOf(prefix+"api_version", &n.apiVersion, api.Text)},
		api.Field{Name: "deploymentId", Into: api.OptOf(prefix+"deployment_id", &n.deploymentID, api.Text)},
		api.Field{Name: "baseUrl", Into: api.OptOf(prefix+"base_api", &n.baseURL, api.Text)},
		api.Field{Name: "apiKey", Into: api.OptOf(prefix+"api_key", &n.apiKey, api.Text)},
		api.Field{Name: "prompts", Into: api.OptOf("bad_request", &n.prompts, readPrompts)})
}

func (n *chatChange) apply(old *chatSettings) (*chatSettings, *api.Error) {
	s, def := *old, defaultPrompts()
	n.source.Apply(&s.Source, "openAi")
	for _, f := range []struct {
		change api.Opt[string]
		dst    **string
	}{{n.orgID, &s.OrgID}, {n.projectID, &s.ProjectID}, {n.apiVersion, &s.APIVersion}, {n.deploymentID, &s.DeploymentID},
		{n.baseURL, &s.BaseURL}, {n.apiKey, &s.APIKey}} {
		patchText(f.dst, f.change)
	}
	if n.prompts.IsNull() {
		s.Prompts = def
	}
	p := n.prompts.Value()
	p.system.Apply(&s.Prompts.System, def.System)
	p.description.Apply(&s.Prompts.SearchDescription, def.SearchDescription)
	p.q.Apply(&s.Prompts.SearchQParam, def.SearchQParam)
	p.filter.Apply(&s.Prompts.SearchFilterParam, def.SearchFilterParam)
	p.index.Apply(&s.Prompts.SearchIndexUIDParam, def.SearchIndexUIDParam)
	switch {
	case s.Source == "azureOpenAi" && (s.BaseURL == nil || s.DeploymentID == nil || s.APIVersion == nil):
		return nil, api.NewError("bad_request", "azureOpenAi requires setting a valid `baseUrl`, `deploymentId`, and `apiVersion`")
	case s.Source == "vLlm" && s.BaseURL == nil:
		return nil, api.NewError("bad_request", "vLlm requires setting a valid `baseUrl`")
	}
	return &s, nil
}

func patchChatSettings(r *request) (*reply, *api.Error) {
	n, err := r.chatChange()
	if err != nil {
		return nil, err
	}
	if err := r.core.require("chatCompletions", "using the /chats/settings route"); err != nil {
		return nil, err
	}
	uid := r.params["ws"]
	old := r.core.chat(uid)
	if old == nil {
		old = defaultChatSettings()
	}
	s, err := n.apply(old)
	if err != nil {
		return nil, err
	}
	if err := r.core.putChat(uid, s); err != nil {
		return nil, err
	}
	return ok(s.masked())
}

// chatCompletion says that there is no model: in a stream as the event that tells of a model out of reach, which is
// what clients of streams understand.
func chatCompletion(r *request) (*reply, *api.Error) {
	const refusal = "an embedded node has no language model to chat with"
	v, err := r.readJSON()
	if err != nil {
		return nil, err
	}
	if err := r.core.require("chatCompletions", "using the /chats chat completions route"); err != nil {
		return nil, err
	}
	if stream, _ := v.Get("stream"); !stream.Bool {
		return nil, api.NewError("unimplemented_non_streaming_chat_completions", "Non-streamed chat completions is not implemented")
	}
	if r.core.chat(r.params["ws"]) == nil {
		return nil, api.NewError("chat_not_found", "Chat `"+r.params["ws"]+"` not found")
	}
	type inner struct {
		Type    string  `json:"type"`
		Code    string  `json:"code"`
		Message string  `json:"message"`
		Param   *string `json:"param"`
		EventID *string `json:"event_id"`
	}
	event, marshalErr := api.Marshal(struct {
		EventID string `json:"event_id"`
		Type    string `json:"type"`
		Error   inner  `json:"error"`
	}{uuid.NewString(), "error", inner{Type: "internal_reqwest_error", Code: api.CodeNotSupported, Message: refusal}})
	if marshalErr != nil {
		return nil, api.Internal(marshalErr.Error())
	}
	return &reply{status: http.StatusOK, contentType: "text/event-stream", raw: append(append([]byte("data: "), event...), "\n\n"...)}, nil
}
