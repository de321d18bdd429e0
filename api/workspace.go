package api

// ChatWorkspace are the settings of a chat workspace. They are replaced, never changed.
type ChatWorkspace struct {
	Source       string      `json:"source"`
	OrgID        *string     `json:"orgId"`
	ProjectID    *string     `json:"projectId"`
	APIVersion   *string     `json:"apiVersion"`
	DeploymentID *string     `json:"deploymentId"`
	BaseURL      *string     `json:"baseUrl"`
	APIKey       *string     `json:"apiKey"`
	Prompts      ChatPrompts `json:"prompts"`
}

// ChatPrompts are what the language model of a workspace is told.
type ChatPrompts struct {
	System              string `json:"system"`
	SearchDescription   string `json:"searchDescription"`
	SearchQParam        string `json:"searchQParam"`
	SearchFilterParam   string `json:"searchFilterParam"`
	SearchIndexUIDParam string `json:"searchIndexUidParam"`
}

// defaultPrompts are not the texts of Meilisearch: no model reads them here.
func defaultPrompts() ChatPrompts {
	return ChatPrompts{"Answer from what the search tool finds.", "Search the documents.", "The words to search for.",
		"The filter of the search. These fields can be filtered on: ", "The index to search in."}
}

// DefaultChatWorkspace are the settings of a workspace that has none.
func DefaultChatWorkspace() *ChatWorkspace {
	return &ChatWorkspace{Source: "openAi", Prompts: defaultPrompts()}
}

// Masked shows only the beginning of the key of the language model.
func (s *ChatWorkspace) Masked() *ChatWorkspace {
	n := *s
	if n.APIKey != nil {
		key := HideSecret(*n.APIKey)
		n.APIKey = &key
	}
	return &n
}

// ChatNotFound is the error of reading or deleting an unknown workspace, ChatUnknown that of using it.
func ChatNotFound(uid string) *Error { return NewError("chat_not_found", "chat "+uid+" not found") }

// ChatUnknown is the error of using an unknown workspace.
func ChatUnknown(uid string) *Error { return NewError("chat_not_found", "Chat `"+uid+"` not found") }

// ChatWorkspacePatch changes a workspace member by member.
type ChatWorkspacePatch struct {
	source                                                      Opt[string]
	orgID, projectID, apiVersion, deploymentID, baseURL, apiKey Opt[string]
	prompts                                                     Opt[chatPromptsPatch]
}

type chatPromptsPatch struct{ system, description, q, filter, index Opt[string] }

func readPrompts(code string, p *chatPromptsPatch) Into {
	return ObjectInto(code, func() []Field {
		const prefix = "invalid_chat_completion_"
		return []Field{
			{Name: "system", Into: OptOf(prefix+"system_prompt", &p.system, Text)},
			{Name: "searchDescription", Into: OptOf(prefix+"search_description_prompt", &p.description, Text)},
			{Name: "searchQParam", Into: OptOf(prefix+"search_query_param_prompt", &p.q, Text)},
			{Name: "searchFilterParam", Into: OptOf(prefix+"search_filter_param_prompt", &p.filter, Text)},
			{Name: "searchIndexUidParam", Into: OptOf(prefix+"search_index_uid_param_prompt", &p.index, Text)},
		}
	})
}

// DecodeChatWorkspace reads the body of PATCH /chats/{uid}/settings.
func DecodeChatWorkspace(v Value) (*ChatWorkspacePatch, *Error) {
	n := &ChatWorkspacePatch{}
	const prefix = "invalid_chat_completion_"
	return n, DecodeObject(v, At{}, "bad_request", []Field{
		{Name: "source", Into: OptOf("bad_request", &n.source, OneOf("openAi", "mistral", "azureOpenAi", "vLlm"))},
		{Name: "orgId", Into: OptOf(prefix+"org_id", &n.orgID, Text)},
		{Name: "projectId", Into: OptOf(prefix+"project_id", &n.projectID, Text)},
		{Name: "apiVersion", Into: OptOf(prefix+"api_version", &n.apiVersion, Text)},
		{Name: "deploymentId", Into: OptOf(prefix+"deployment_id", &n.deploymentID, Text)},
		{Name: "baseUrl", Into: OptOf(prefix+"base_api", &n.baseURL, Text)},
		{Name: "apiKey", Into: OptOf(prefix+"api_key", &n.apiKey, Text)},
		{Name: "prompts", Into: OptOf("bad_request", &n.prompts, readPrompts)},
	})
}

// Apply gives the settings that the change makes of old ones.
func (n *ChatWorkspacePatch) Apply(old *ChatWorkspace) (*ChatWorkspace, *Error) {
	s, def := *old, defaultPrompts()
	n.source.Apply(&s.Source, "openAi")
	for _, f := range []struct {
		change Opt[string]
		dst    **string
	}{{n.orgID, &s.OrgID}, {n.projectID, &s.ProjectID}, {n.apiVersion, &s.APIVersion}, {n.deploymentID, &s.DeploymentID},
		{n.baseURL, &s.BaseURL}, {n.apiKey, &s.APIKey}} {
		applyPointer(f.change, f.dst)
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
		return nil, NewError("bad_request", "azureOpenAi requires setting a valid `baseUrl`, `deploymentId`, and `apiVersion`")
	case s.Source == "vLlm" && s.BaseURL == nil:
		return nil, NewError("bad_request", "vLlm requires setting a valid `baseUrl`")
	}
	return &s, nil
}
