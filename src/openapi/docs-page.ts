/** The page that shows an OpenAPI document: one file, nothing loaded from anywhere. */
export function docsPage(documentUrl: string, title: string, nonce: string): string {
  const text = (value: string): string => value.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
  return `<!doctype html><html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>${text(title)}</title>
<style nonce="${nonce}">${style}</style></head><body><header><h1>${text(title)}</h1><p id="about"></p><p><a href="${text(documentUrl)}">OpenAPI document</a></p></header><main id="operations"><p>Loading…</p></main>
<script nonce="${nonce}">const source=${JSON.stringify(documentUrl).replace(/</g, '\\u003c')};${script}</script></body></html>`;
}

const style = `:root{color-scheme:light dark;--ink:#23201c;--paper:#fbf8f3;--line:#e2dbcf;--soba:#8a5a2b;--card:#fff;--soft:#6d655b}
@media(prefers-color-scheme:dark){:root{--ink:#ece5da;--paper:#1d1a17;--line:#3a342d;--soba:#d9a066;--card:#26221e;--soft:#a59b8e}}
*{box-sizing:border-box}body{margin:0;font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper)}header,main{max-width:60rem;margin:0 auto;padding:1rem}a{color:var(--soba)}
details{border:1px solid var(--line);border-radius:8px;background:var(--card);margin:.5rem 0;padding:.5rem .8rem}summary{cursor:pointer;display:flex;gap:.8rem;align-items:baseline;flex-wrap:wrap}
.method{font:700 13px ui-monospace,monospace;color:var(--soba);min-width:4em}.path{font:14px ui-monospace,monospace;overflow-wrap:anywhere}.note{color:var(--soft);font-size:.9rem}
h2{font-size:1.1rem;margin:1.5rem 0 .3rem}h3{font-size:.9rem;margin:.9rem 0 .3rem;color:var(--soft)}pre{background:var(--paper);border:1px solid var(--line);border-radius:6px;padding:.6rem;overflow:auto;font:13px/1.5 ui-monospace,monospace;margin:.3rem 0}
label{display:grid;grid-template-columns:12rem 1fr;gap:.5rem;margin:.25rem 0;font-size:.9rem}input,textarea{font:13px ui-monospace,monospace;width:100%;padding:.3rem .4rem;border:1px solid var(--line);border-radius:4px;background:var(--paper);color:inherit}textarea{min-height:7rem}
button{font:inherit;padding:.35rem 1rem;border:0;border-radius:6px;background:var(--soba);color:#fff;cursor:pointer;margin-top:.5rem}.old{text-decoration:line-through}`;

const script = `
const el=(name,props={},...kids)=>{const e=Object.assign(document.createElement(name),props);e.append(...kids.filter(k=>k!=null));return e};
const show=v=>JSON.stringify(v,null,2);
const follow=(doc,s)=>{for(let i=0;i<10&&s&&s.$ref;i++)s=s.$ref.slice(2).split('/').reduce((o,k)=>o?.[k.replace(/~1/g,'/').replace(/~0/g,'~')],doc);return s||{}};
const sample=(doc,s,depth=0)=>{s=follow(doc,s);if(depth>6)return null;if('default'in s)return s.default;if(s.examples)return s.examples[0];if('const'in s)return s.const;if(s.enum)return s.enum[0];
const any=(s.anyOf||s.oneOf||s.allOf||[])[0];if(any)return sample(doc,any,depth+1);const t=Array.isArray(s.type)?s.type[0]:s.type;
if(t==='object'||s.properties)return Object.fromEntries(Object.entries(s.properties||{}).map(([k,v])=>[k,sample(doc,v,depth+1)]));if(t==='array')return[sample(doc,s.items||{},depth+1)];
if(t==='integer'||t==='number')return s.minimum??0;if(t==='boolean')return true;return t==='null'?null:'text'};
const operation=(doc,path,method,op)=>{const inputs=[];const form=el('form');
for(const p of op.parameters||[]){const input=el('input',{name:p.name,required:!!p.required,placeholder:show(sample(doc,p.schema))});inputs.push([p,input]);form.append(el('label',{},el('span',{},p.name+(p.required?' *':'')+' ',el('span',{className:'note'},p.in)),input))}
const json=op.requestBody?.content?.['application/json']?.schema;let body=null;
if(json){body=el('textarea',{value:show(sample(doc,json)),ariaLabel:'Body'});form.append(el('h3',{},'Body'),body)}
const out=el('pre',{hidden:true});form.append(el('button',{type:'submit'},'Send'),out);
form.addEventListener('submit',async e=>{e.preventDefault();let url=path;const query=new URLSearchParams(),headers={};
for(const[p,input]of inputs){if(input.value===''&&p.in!=='path')continue;if(p.in==='path')url=url.replace('{'+p.name+'}',encodeURIComponent(input.value));else if(p.in==='query')query.append(p.name,input.value);else headers[p.name]=input.value}
if(body)headers['content-type']='application/json';headers.accept='application/json';const token=document.cookie.match(/csrftoken=([^;]+)/);if(token)headers['x-csrftoken']=token[1];
out.hidden=false;out.textContent='…';try{const began=performance.now();const r=await fetch(url+(query.size?'?'+query:''),{method:method.toUpperCase(),headers,body:body?body.value:undefined});
const t=await r.text();let shown=t;try{shown=show(JSON.parse(t))}catch{}out.textContent=r.status+' '+r.statusText+' · '+Math.round(performance.now()-began)+' ms\\n\\n'+shown}catch(error){out.textContent=String(error)}});
const answers=Object.entries(op.responses||{}).map(([status,r])=>{const s=Object.values(r.content||{})[0]?.schema;return el('div',{},el('h3',{},status+' '+(r.description||'')),s?el('pre',{},show(sample(doc,s))):null)});
return el('details',{},el('summary',{},el('span',{className:'method'},method.toUpperCase()),el('span',{className:'path'+(op.deprecated?' old':'')},path),el('span',{className:'note'},op.summary||'')),op.description?el('p',{},op.description):null,form,...answers)};
fetch(source).then(r=>r.json()).then(doc=>{document.getElementById('about').textContent=doc.info.version+(doc.info.description?' · '+doc.info.description:'');
const groups=new Map();for(const[path,item]of Object.entries(doc.paths))for(const[method,op]of Object.entries(item)){const tag=op.tags?.[0]||'';groups.set(tag,[...(groups.get(tag)||[]),operation(doc,path,method,op)])}
const main=document.getElementById('operations');main.replaceChildren(...[...groups].flatMap(([tag,list])=>[tag?el('h2',{},tag):'',...list]));if(!groups.size)main.textContent='No endpoints.'}).catch(e=>{document.getElementById('operations').textContent=String(e)});`;
