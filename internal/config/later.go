package config

import "strings"

// later are variables of existing installations that mean something there and
// nothing here yet. They are named in one warning and never stop a start.
var later = strings.Fields(`
	AUDIT_LOG_LEVEL CACHE_CONTROL CHROMA_HTTP_HOST CODE_EXECUTION_ENGINE
	DATABASE_POOL_SIZE DATABASE_SCHEMA ENABLE_CHANNELS ENABLE_CODE_EXECUTION
	ENABLE_CODE_INTERPRETER ENABLE_EVALUATION_ARENA_MODELS ENABLE_FUNCTIONS
	ENABLE_IMAGE_GENERATION ENABLE_LDAP ENABLE_OAUTH_SIGNUP ENABLE_OTEL
	ENABLE_PERSISTENT_CONFIG ENABLE_PLUGINS ENABLE_TOOLS ENABLE_WEB_SEARCH
	ENABLE_WEBSOCKET_SUPPORT HF_HUB_OFFLINE IMAGE_GENERATION_ENGINE K8S_FLAG
	LDAP_SERVER_HOST MILVUS_URI OAUTH_CLIENT_ID OAUTH_CLIENT_SECRET
	OFFLINE_MODE OPENID_PROVIDER_URL PGVECTOR_DB_URL PIPELINES_URL QDRANT_URI
	REDIS_URL RESET_CONFIG_ON_START S3_BUCKET_NAME S3_ENDPOINT_URL
	SEARXNG_QUERY_URL STATIC_DIR STORAGE_PROVIDER UVICORN_WORKERS VECTOR_DB
	WEB_SEARCH_ENGINE WEBSOCKET_MANAGER WEBSOCKET_REDIS_URL WHISPER_MODEL
`)

func (c *Config) warnings() {
	var found []string
	for _, name := range later {
		if _, _, ok := c.source.find(name); ok {
			found = append(found, name)
		}
	}
	if len(found) > 0 {
		c.warns = append(c.warns, "These variables are set and not used: "+strings.Join(found, ", ")+".")
	}
	if !c.Auth {
		c.warns = append(c.warns, "WEBUI_AUTH=false: everybody who reaches this address is an administrator.")
	}
}
