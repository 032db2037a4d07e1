// Reads the Go source of the AWS provider and prints, one JSON object a line for each service package, what its
// functions say of API calls: which calls a resource makes when it is created, updated and deleted, and which attribute
// goes with which member of an API structure. Only names are taken over.
//
//	go run facts.go PROVIDER/internal/service
package main

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"sort"
	"strconv"
	"strings"
)

// Call is one API call; Guards are the attributes whose change it depends on.
type Call struct {
	Name   string   `json:"name"`
	Guards []string `json:"guards,omitempty"`
}

// Function is what one function tells. A pair is structure, path of members and attribute ("" is the resource's id).
type Function struct {
	File  string      `json:"file"`
	Calls []Call      `json:"calls,omitempty"`
	Pairs [][3]string `json:"pairs,omitempty"`
	IDs   [][2]string `json:"ids,omitempty"`
	// Sets are the attributes that it writes into state, "*" where it computes their names.
	Sets []string `json:"sets,omitempty"`
	// Uses are other functions of the package, each with its guards.
	Uses map[string][]string `json:"uses,omitempty"`
}

// Resource names the functions of one resource type.
type Resource struct {
	Type   string `json:"type"`
	Create string `json:"create,omitempty"`
	Read   string `json:"read,omitempty"`
	Update string `json:"update,omitempty"`
	Delete string `json:"delete,omitempty"`
	Tags   string `json:"tags,omitempty"`
}

// Package is one service of the provider.
type Package struct {
	Name      string               `json:"package"`
	Resources []Resource           `json:"resources"`
	Functions map[string]*Function `json:"functions"`
}

var (
	sdkResource = regexp.MustCompile(`@SDKResource\("(aws_\w+)"`)
	framework   = regexp.MustCompile(`@FrameworkResource`)
	tagsBy      = regexp.MustCompile(`@Tags\(identifierAttribute="(\w+)"`)
	tfsdk       = regexp.MustCompile(`tfsdk:"(\w+)"`)
	wellKnown   = map[string]string{}
)

// value is what is known of a variable: the attributes and members that it may come from, and its structure.
type value struct {
	atoms  []atom
	shape  string
	isText bool
}

// atom is an attribute (key), a member of an API structure (shape and path), or the resource's id.
type atom struct {
	kind, shape, path string
}

type reader struct {
	constants map[string]string
	models    map[string]map[string]string
	results   map[string]string
	functions map[string]bool
	current   *Function
	receiver  string
	kind      string
	guards    []string
	scopes    []map[string]value
	uses      map[string][]string
}

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: go run facts.go PROVIDER/internal/service")
		os.Exit(2)
	}
	readNames(filepath.Join(os.Args[1], "..", "..", "names", "attr_consts.go"))
	folders, err := filepath.Glob(filepath.Join(os.Args[1], "*"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	encoder := json.NewEncoder(os.Stdout)
	for _, folder := range folders {
		if found := readPackage(folder); found != nil {
			if err := encoder.Encode(found); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
		}
	}
}

func readNames(path string) {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	collectConstants(file, wellKnown)
}

func collectConstants(file *ast.File, into map[string]string) {
	for _, declaration := range file.Decls {
		general, ok := declaration.(*ast.GenDecl)
		if !ok || general.Tok != token.CONST {
			continue
		}
		for _, spec := range general.Specs {
			names := spec.(*ast.ValueSpec)
			for i, name := range names.Names {
				if i < len(names.Values) {
					if text, ok := literal(names.Values[i]); ok {
						into[name.Name] = text
					}
				}
			}
		}
	}
}

func literal(e ast.Expr) (string, bool) {
	basic, ok := e.(*ast.BasicLit)
	if !ok || basic.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(basic.Value)
	return text, err == nil
}

func readPackage(folder string) *Package {
	paths, _ := filepath.Glob(filepath.Join(folder, "*.go"))
	sort.Strings(paths)
	files := map[string]*ast.File{}
	set := token.NewFileSet()
	r := &reader{constants: map[string]string{}, models: map[string]map[string]string{}, results: map[string]string{}, functions: map[string]bool{}}
	for _, path := range paths {
		name := filepath.Base(path)
		if strings.HasSuffix(name, "_test.go") || strings.Contains(name, "data_source") || name == "sweep.go" {
			continue
		}
		file, err := parser.ParseFile(set, path, nil, parser.ParseComments)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		files[name] = file
		collectConstants(file, r.constants)
		r.collectModels(file)
		for _, declaration := range file.Decls {
			if function, ok := declaration.(*ast.FuncDecl); ok {
				name := nameOf(function)
				r.functions[name] = true
				if function.Type.Results != nil && len(function.Type.Results.List) > 0 {
					r.results[name] = shapeOf(function.Type.Results.List[0].Type)
				}
			}
		}
	}
	if len(files) == 0 {
		return nil
	}
	found := &Package{Name: filepath.Base(folder), Functions: map[string]*Function{}}
	names := make([]string, 0, len(files))
	for name := range files {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		for _, declaration := range files[name].Decls {
			function, ok := declaration.(*ast.FuncDecl)
			if !ok || function.Body == nil {
				continue
			}
			found.Functions[nameOf(function)] = r.read(name, function)
			if resource, ok := r.resource(function, files); ok {
				found.Resources = append(found.Resources, resource)
			}
		}
	}
	return found
}

func nameOf(function *ast.FuncDecl) string {
	if function.Recv == nil || len(function.Recv.List) == 0 {
		return function.Name.Name
	}
	return typeName(function.Recv.List[0].Type) + "." + function.Name.Name
}

func typeName(e ast.Expr) string {
	switch t := e.(type) {
	case *ast.StarExpr:
		return typeName(t.X)
	case *ast.Ident:
		return t.Name
	case *ast.SelectorExpr:
		return t.Sel.Name
	case *ast.IndexExpr:
		return typeName(t.X)
	}
	return ""
}

// shapeOf is the API structure that a type is, points to or is a list of.
func shapeOf(e ast.Expr) string {
	switch t := e.(type) {
	case *ast.StarExpr:
		return shapeOf(t.X)
	case *ast.ArrayType:
		return shapeOf(t.Elt)
	case *ast.Ellipsis:
		return shapeOf(t.Elt)
	case *ast.SelectorExpr:
		if x, ok := t.X.(*ast.Ident); ok && x.Name != "schema" && x.Name != "context" && x.Name != "conns" && x.Name != "diag" && x.Name != "resource" {
			return t.Sel.Name
		}
	case *ast.Ident:
		return t.Name
	}
	return ""
}

func (r *reader) collectModels(file *ast.File) {
	ast.Inspect(file, func(node ast.Node) bool {
		spec, ok := node.(*ast.TypeSpec)
		if !ok {
			return true
		}
		structure, ok := spec.Type.(*ast.StructType)
		if !ok {
			return true
		}
		for _, field := range structure.Fields.List {
			if field.Tag == nil {
				continue
			}
			if tag := tfsdk.FindStringSubmatch(field.Tag.Value); tag != nil && len(field.Names) == 1 {
				if r.models[spec.Name.Name] == nil {
					r.models[spec.Name.Name] = map[string]string{}
				}
				r.models[spec.Name.Name][field.Names[0].Name] = tag[1]
			}
		}
		return true
	})
}

func (r *reader) resource(function *ast.FuncDecl, files map[string]*ast.File) (Resource, bool) {
	doc := function.Doc.Text()
	for _, comment := range comments(function) {
		doc += comment + "\n"
	}
	resource := Resource{}
	if by := tagsBy.FindStringSubmatch(doc); by != nil {
		resource.Tags = by[1]
	}
	if kind := sdkResource.FindStringSubmatch(doc); kind != nil {
		resource.Type = kind[1]
		ast.Inspect(function, func(node ast.Node) bool {
			pair, ok := node.(*ast.KeyValueExpr)
			if !ok {
				return true
			}
			key, isName := pair.Key.(*ast.Ident)
			target, isFunction := pair.Value.(*ast.Ident)
			if isName && isFunction {
				resource.set(key.Name, target.Name)
			}
			return true
		})
		return resource, true
	}
	if framework.MatchString(doc) {
		owner := ""
		ast.Inspect(function, func(node ast.Node) bool {
			if composite, ok := node.(*ast.CompositeLit); ok && owner == "" {
				owner = typeName(composite.Type)
			}
			return true
		})
		for _, file := range files {
			for _, declaration := range file.Decls {
				method, ok := declaration.(*ast.FuncDecl)
				if !ok || method.Recv == nil || typeName(method.Recv.List[0].Type) != owner {
					continue
				}
				if method.Name.Name == "Metadata" {
					ast.Inspect(method, func(node ast.Node) bool {
						if basic, ok := node.(*ast.BasicLit); ok {
							if text, ok := literal(basic); ok && strings.HasPrefix(text, "aws_") {
								resource.Type = text
							}
						}
						return true
					})
				}
				resource.set(method.Name.Name, owner+"."+method.Name.Name)
			}
		}
		return resource, resource.Type != ""
	}
	return resource, false
}

func comments(function *ast.FuncDecl) []string {
	if function.Doc == nil {
		return nil
	}
	lines := []string{}
	for _, comment := range function.Doc.List {
		lines = append(lines, comment.Text)
	}
	return lines
}

func (resource *Resource) set(key, function string) {
	switch strings.TrimSuffix(strings.TrimSuffix(key, "WithoutTimeout"), "Context") {
	case "Create":
		resource.Create = function
	case "Read":
		resource.Read = function
	case "Update":
		resource.Update = function
	case "Delete":
		resource.Delete = function
	}
}

func (r *reader) read(file string, function *ast.FuncDecl) *Function {
	r.current = &Function{File: file}
	r.guards, r.scopes, r.uses = nil, []map[string]value{{}}, map[string][]string{}
	r.receiver, r.kind = "", ""
	if function.Recv != nil && len(function.Recv.List) > 0 && len(function.Recv.List[0].Names) > 0 {
		r.receiver, r.kind = function.Recv.List[0].Names[0].Name, typeName(function.Recv.List[0].Type)
	}
	if r.receiver != "" && r.models[r.kind] != nil {
		r.define(r.receiver, value{shape: r.kind})
	}
	r.parameters(function.Type)
	r.block(function.Body)
	r.current.Uses = r.uses
	return r.current
}

// use notes another function, with the attributes without a change of which it is not called.
func (r *reader) use(name string) {
	if known, ok := r.uses[name]; !ok || len(known) > len(r.guards) {
		r.uses[name] = append([]string{}, r.guards...)
	}
}

func (r *reader) parameters(kind *ast.FuncType) {
	for _, field := range kind.Params.List {
		for _, name := range field.Names {
			r.define(name.Name, value{shape: shapeOf(field.Type)})
		}
	}
}

func (r *reader) define(name string, v value) {
	if name != "_" {
		r.scopes[len(r.scopes)-1][name] = v
	}
}

func (r *reader) assign(name string, v value) {
	for i := len(r.scopes) - 1; i >= 0; i-- {
		if known, ok := r.scopes[i][name]; ok {
			v.atoms = append(append([]atom{}, known.atoms...), v.atoms...)
			if v.shape == "" {
				v.shape = known.shape
			}
			r.scopes[i][name] = v
			return
		}
	}
	r.define(name, v)
}

func (r *reader) lookup(name string) value {
	for i := len(r.scopes) - 1; i >= 0; i-- {
		if known, ok := r.scopes[i][name]; ok {
			return known
		}
	}
	return value{}
}

func (r *reader) block(block *ast.BlockStmt) {
	if block == nil {
		return
	}
	r.scopes = append(r.scopes, map[string]value{})
	for _, statement := range block.List {
		r.statement(statement)
	}
	r.scopes = r.scopes[:len(r.scopes)-1]
}

func (r *reader) statement(statement ast.Stmt) {
	switch s := statement.(type) {
	case *ast.AssignStmt:
		r.assignment(s)
	case *ast.DeclStmt:
		if general, ok := s.Decl.(*ast.GenDecl); ok {
			for _, spec := range general.Specs {
				if names, ok := spec.(*ast.ValueSpec); ok {
					for i, name := range names.Names {
						v := value{shape: shapeOf(names.Type)}
						if i < len(names.Values) {
							v = r.eval(names.Values[i])
						}
						r.define(name.Name, v)
					}
				}
			}
		}
	case *ast.ExprStmt:
		r.eval(s.X)
	case *ast.ReturnStmt:
		for _, result := range s.Results {
			r.eval(result)
		}
	case *ast.IfStmt:
		r.scopes = append(r.scopes, map[string]value{})
		if s.Init != nil {
			r.statement(s.Init)
		}
		r.eval(s.Cond)
		guards := len(r.guards)
		r.guards = append(r.guards, r.changes(s.Cond)...)
		r.block(s.Body)
		if s.Else != nil {
			r.statement(s.Else)
		}
		r.guards = r.guards[:guards]
		r.scopes = r.scopes[:len(r.scopes)-1]
	case *ast.ForStmt:
		r.scopes = append(r.scopes, map[string]value{})
		if s.Init != nil {
			r.statement(s.Init)
		}
		r.block(s.Body)
		r.scopes = r.scopes[:len(r.scopes)-1]
	case *ast.RangeStmt:
		r.scopes = append(r.scopes, map[string]value{})
		over := r.eval(s.X)
		if name, ok := s.Value.(*ast.Ident); ok {
			r.define(name.Name, over)
		}
		r.block(s.Body)
		r.scopes = r.scopes[:len(r.scopes)-1]
	case *ast.BlockStmt:
		r.block(s)
	case *ast.SwitchStmt:
		r.scopes = append(r.scopes, map[string]value{})
		if s.Init != nil {
			r.statement(s.Init)
		}
		r.cases(s.Body)
		r.scopes = r.scopes[:len(r.scopes)-1]
	case *ast.TypeSwitchStmt:
		r.scopes = append(r.scopes, map[string]value{})
		r.statement(s.Assign)
		r.cases(s.Body)
		r.scopes = r.scopes[:len(r.scopes)-1]
	case *ast.DeferStmt:
		r.eval(s.Call)
	case *ast.GoStmt:
		r.eval(s.Call)
	}
}

func (r *reader) cases(body *ast.BlockStmt) {
	for _, clause := range body.List {
		if c, ok := clause.(*ast.CaseClause); ok {
			r.scopes = append(r.scopes, map[string]value{})
			guards := len(r.guards)
			for _, condition := range c.List {
				r.guards = append(r.guards, r.changes(condition)...)
			}
			for _, statement := range c.Body {
				r.statement(statement)
			}
			r.guards = r.guards[:guards]
			r.scopes = r.scopes[:len(r.scopes)-1]
		}
	}
}

// changes are the attributes whose change a condition asks for.
func (r *reader) changes(condition ast.Expr) []string {
	found := []string{}
	ast.Inspect(condition, func(node ast.Node) bool {
		call, ok := node.(*ast.CallExpr)
		if !ok {
			return true
		}
		selector, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		switch selector.Sel.Name {
		case "HasChange", "HasChanges":
			for _, argument := range call.Args {
				if text, ok := r.text(argument); ok {
					found = append(found, text)
				}
			}
		case "Equal":
			for _, atom := range r.eval(selector.X).atoms {
				if atom.kind == "key" {
					found = append(found, atom.path)
				}
			}
		}
		return true
	})
	return found
}

func (r *reader) assignment(s *ast.AssignStmt) {
	for i, left := range s.Lhs {
		var v value
		if len(s.Rhs) == len(s.Lhs) {
			v = r.eval(s.Rhs[i])
		} else if i == 0 {
			v = r.eval(s.Rhs[0])
			if len(s.Lhs) > 2 {
				v.atoms = withoutID(v.atoms) // parts of a composite id
			}
		}
		switch l := left.(type) {
		case *ast.Ident:
			if s.Tok == token.DEFINE {
				r.define(l.Name, v)
			} else {
				r.assign(l.Name, v)
			}
		case *ast.SelectorExpr:
			r.member(l, v)
		case *ast.IndexExpr:
			if key, ok := r.text(l.Index); ok {
				r.pairs(key, v)
			}
		}
	}
}

func withoutID(atoms []atom) []atom {
	kept := []atom{}
	for _, known := range atoms {
		if known.kind != "id" {
			kept = append(kept, known)
		}
	}
	return kept
}

// member notes what an API structure's member, or a model's, is set to.
func (r *reader) member(left *ast.SelectorExpr, v value) {
	for _, target := range r.eval(left).atoms {
		switch target.kind {
		case "member":
			for _, source := range v.atoms {
				r.pair(target, source)
			}
		case "key":
			r.pairs(target.path, v)
		}
	}
}

func (r *reader) pairs(key string, v value) {
	for _, source := range v.atoms {
		if source.kind == "member" {
			r.pair(source, atom{kind: "key", path: key})
		}
	}
}

func (r *reader) pair(member, source atom) {
	switch source.kind {
	case "key":
		r.current.Pairs = append(r.current.Pairs, [3]string{member.shape, member.path, source.path})
	case "id":
		r.current.Pairs = append(r.current.Pairs, [3]string{member.shape, member.path, ""})
	}
}

func (r *reader) text(e ast.Expr) (string, bool) {
	if text, ok := literal(e); ok {
		return text, true
	}
	switch t := e.(type) {
	case *ast.Ident:
		text, ok := r.constants[t.Name]
		return text, ok
	case *ast.SelectorExpr:
		if x, ok := t.X.(*ast.Ident); ok && x.Name == "names" {
			text, ok := wellKnown[t.Sel.Name]
			return text, ok
		}
	}
	return "", false
}

func (r *reader) eval(expression ast.Expr) value {
	switch e := expression.(type) {
	case *ast.Ident:
		if r.functions[e.Name] {
			r.use(e.Name)
		}
		return r.lookup(e.Name)
	case *ast.ParenExpr:
		return r.eval(e.X)
	case *ast.StarExpr:
		return r.eval(e.X)
	case *ast.UnaryExpr:
		return r.eval(e.X)
	case *ast.TypeAssertExpr:
		v := r.eval(e.X)
		if e.Type != nil {
			if shape := shapeOf(e.Type); shape != "" {
				v.shape = shape
			}
		}
		return v
	case *ast.SliceExpr:
		return r.eval(e.X)
	case *ast.BinaryExpr:
		left, right := r.eval(e.X), r.eval(e.Y)
		if e.Op == token.ADD {
			return value{atoms: append(append([]atom{}, left.atoms...), right.atoms...)}
		}
		return value{}
	case *ast.IndexExpr:
		if key, ok := r.text(e.Index); ok {
			r.eval(e.X)
			return value{atoms: []atom{{kind: "key", path: key}}}
		}
		return r.eval(e.X)
	case *ast.SelectorExpr:
		return r.selector(e)
	case *ast.CompositeLit:
		return r.composite(e, e.Type)
	case *ast.FuncLit:
		r.scopes = append(r.scopes, map[string]value{})
		r.parameters(e.Type)
		r.block(e.Body)
		r.scopes = r.scopes[:len(r.scopes)-1]
		return value{}
	case *ast.CallExpr:
		return r.call(e)
	}
	return value{}
}

func (r *reader) selector(e *ast.SelectorExpr) value {
	base := r.eval(e.X)
	if x, ok := e.X.(*ast.Ident); ok && x.Name == r.receiver && r.receiver != "" {
		r.use(r.kind + "." + e.Sel.Name)
		if r.models[r.kind] == nil {
			return value{}
		}
	}
	if model, ok := r.models[base.shape]; ok {
		if tag, ok := model[e.Sel.Name]; ok {
			return value{atoms: []atom{{kind: "key", path: tag}}}
		}
		return value{}
	}
	found := value{}
	for _, known := range base.atoms {
		if known.kind == "member" {
			found.atoms = append(found.atoms, atom{kind: "member", shape: known.shape, path: known.path + "." + e.Sel.Name})
		}
		if known.kind == "key" && strings.HasPrefix(e.Sel.Name, "Value") {
			found.atoms = append(found.atoms, known)
		}
	}
	if len(found.atoms) == 0 && base.shape != "" {
		found.atoms = append(found.atoms, atom{kind: "member", shape: base.shape, path: e.Sel.Name})
	}
	return found
}

func (r *reader) composite(e *ast.CompositeLit, kind ast.Expr) value {
	switch t := kind.(type) {
	case *ast.ArrayType:
		found := value{shape: shapeOf(t.Elt)}
		for _, element := range e.Elts {
			if inner, ok := element.(*ast.CompositeLit); ok && inner.Type == nil {
				elt := t.Elt
				if star, ok := elt.(*ast.StarExpr); ok {
					elt = star.X
				}
				found.atoms = append(found.atoms, r.composite(inner, elt).atoms...)
			} else {
				found.atoms = append(found.atoms, r.eval(element).atoms...)
			}
		}
		return found
	case *ast.MapType:
		for _, element := range e.Elts {
			if pair, ok := element.(*ast.KeyValueExpr); ok {
				v := r.eval(pair.Value)
				if key, ok := r.text(pair.Key); ok {
					r.pairs(key, v)
				}
			}
		}
		return value{}
	}
	shape := shapeOf(kind)
	for _, element := range e.Elts {
		pair, ok := element.(*ast.KeyValueExpr)
		if !ok {
			r.eval(element)
			continue
		}
		v := r.eval(pair.Value)
		if name, ok := pair.Key.(*ast.Ident); ok && shape != "" {
			for _, source := range v.atoms {
				r.pair(atom{kind: "member", shape: shape, path: name.Name}, source)
			}
		}
	}
	return value{shape: shape}
}

func (r *reader) call(e *ast.CallExpr) value {
	switch f := e.Fun.(type) {
	case *ast.SelectorExpr:
		name := f.Sel.Name
		switch name {
		case "Get", "GetOk", "GetOkExists", "GetChange":
			if len(e.Args) == 1 {
				if key, ok := r.text(e.Args[0]); ok {
					return value{atoms: []atom{{kind: "key", path: top(key)}}}
				}
			}
		case "Id":
			if len(e.Args) == 0 {
				return value{atoms: []atom{{kind: "id"}}}
			}
		case "Set":
			if len(e.Args) == 2 {
				if key, ok := r.text(e.Args[0]); ok {
					r.pairs(key, r.eval(e.Args[1]))
					if !r.isKept(key, e.Args[1]) {
						r.current.Sets = append(r.current.Sets, key)
					}
					return value{}
				}
				r.current.Sets = append(r.current.Sets, "*")
			}
		case "SetId":
			for _, argument := range e.Args {
				for _, source := range r.eval(argument).atoms {
					switch source.kind {
					case "member":
						r.current.IDs = append(r.current.IDs, [2]string{source.shape, source.path})
					case "key":
						r.current.IDs = append(r.current.IDs, [2]string{"", source.path})
					}
				}
			}
			return value{}
		}
		if isClient(f.X) && len(e.Args) > 0 {
			for _, argument := range e.Args {
				r.eval(argument)
			}
			operation := strings.TrimSuffix(name, "WithContext")
			r.current.Calls = append(r.current.Calls, Call{Name: operation, Guards: append([]string{}, r.guards...)})
			return value{shape: operation + "Output"}
		}
		if strings.HasPrefix(name, "Base64Encode") || name == "EncodeToString" {
			found := value{}
			for _, argument := range e.Args {
				for _, known := range r.eval(argument).atoms {
					if known.kind == "key" {
						known.path = "base64:" + known.path
					}
					found.atoms = append(found.atoms, known)
				}
			}
			return found
		}
		found := r.eval(f.X)
		if x, ok := f.X.(*ast.Ident); ok {
			if x.Name == r.receiver && r.receiver != "" {
				r.use(r.kind + "." + name)
			} else if shape := r.lookup(x.Name).shape; r.models[shape] != nil {
				r.use(shape + "." + name)
				return value{shape: r.results[shape+"."+name]}
			}
		}
		if name == "As" || name == "Expand" || name == "Flatten" {
			found = value{}
		}
		for _, argument := range e.Args {
			found.atoms = append(found.atoms, r.eval(argument).atoms...)
		}
		if found.shape != "" && len(e.Args) == 0 {
			found.shape = ""
		}
		return found
	case *ast.Ident:
		if r.functions[f.Name] {
			r.use(f.Name)
		}
		found := value{shape: r.results[f.Name]}
		if f.Name == "new" && len(e.Args) == 1 {
			return value{shape: shapeOf(e.Args[0])}
		}
		for _, argument := range e.Args {
			v := r.eval(argument)
			found.atoms = append(found.atoms, v.atoms...)
			if f.Name == "append" && found.shape == "" {
				found.shape = v.shape
			}
		}
		return found
	}
	found := r.eval(e.Fun)
	for _, argument := range e.Args {
		found.atoms = append(found.atoms, r.eval(argument).atoms...)
	}
	return found
}

// isKept is whether an attribute is set to what it was.
func (r *reader) isKept(key string, to ast.Expr) bool {
	call, ok := to.(*ast.CallExpr)
	if !ok || len(call.Args) != 1 {
		return false
	}
	selector, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || selector.Sel.Name != "Get" {
		return false
	}
	text, ok := r.text(call.Args[0])
	return ok && text == key
}

// top is the attribute in a path such as "command.0.name".
func top(key string) string {
	steps := strings.Split(key, ".")
	return steps[len(steps)-1]
}

func isClient(e ast.Expr) bool {
	switch x := e.(type) {
	case *ast.Ident:
		name := strings.ToLower(x.Name)
		return strings.Contains(name, "conn") || strings.Contains(name, "client")
	case *ast.SelectorExpr:
		return isClient(x.Sel)
	case *ast.CallExpr:
		return isClient(x.Fun)
	}
	return false
}
