// Package chat is one completion from request to stream, as named stages of
// one shape. Later stages (tools, filters) join the list; none may
// reach around it.
//
// A request is a turn. It passes decode, resolve, context, request, begin, call and deliver in
// this order; the first error ends it and is the route's answer. Whatever
// happened once a model was found is recorded at the end, which for a stream
// may be long after its handler returned.
package chat
