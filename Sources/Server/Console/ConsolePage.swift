/// The console: one page of HTML with its style and script inside, needing nothing from elsewhere. It speaks to the
/// server through the same HTTP interface as everyone.
enum ConsolePage {
    /// The page's bytes.
    static let bytes = Array((head + style + body + script).utf8)

    private static let head = #"""
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <title>logstore</title>
        <link rel="icon" href="data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'><rect x='1' y='2' width='14' height='3' rx='1' fill='%23e4633a'/><rect x='1' y='6.5' width='10' height='3' rx='1' fill='%23e4933a'/><rect x='1' y='11' width='6' height='3' rx='1' fill='%23e4b93a'/></svg>">

        """#

    private static let style = #"""
        <style>
        :root{--bg:#fbfaf8;--panel:#f1efea;--line:#ddd8ce;--text:#26231d;--dim:#7c7566;--accent:#c2491f;--on:#fff;--hover:#e8e4db;--bad:#b3261e;--badbg:#fbe9e7;--num:#1d5fa8;--null:#a89f8e;color-scheme:light}
        :root[data-theme=dark]{--bg:#191a1d;--panel:#202226;--line:#34373d;--text:#e4e2dc;--dim:#918f88;--accent:#f0703f;--on:#1b1512;--hover:#2a2d32;--bad:#ff8a7a;--badbg:#35211f;--num:#7fb4f0;--null:#6d6f73;color-scheme:dark}
        *{box-sizing:border-box}
        html,body{height:100%;margin:0}
        body{display:grid;grid-template:auto 1fr/260px 1fr;background:var(--bg);color:var(--text);font:14px/1.45 system-ui,-apple-system,"Segoe UI",Roboto,sans-serif}
        header{grid-column:1/3;display:flex;align-items:center;gap:12px;padding:8px 14px;border-bottom:1px solid var(--line)}
        header b{font-size:15px;letter-spacing:.2px}header b i{font-style:normal;color:var(--accent)}
        header .grow{flex:1}
        button,select{font:inherit;color:inherit;background:var(--panel);border:1px solid var(--line);border-radius:6px;padding:4px 10px;cursor:pointer}
        button:hover,select:hover{background:var(--hover)}
        button.main{background:var(--accent);border-color:var(--accent);color:var(--on);font-weight:600}
        button:disabled{opacity:.5;cursor:default}
        :focus-visible{outline:2px solid var(--accent);outline-offset:1px}
        kbd{font:11px ui-monospace,monospace;border:1px solid var(--line);border-radius:4px;padding:0 4px;color:var(--dim)}
        nav{border-right:1px solid var(--line);overflow:auto;padding:10px 8px;background:var(--panel)}
        nav h2{font-size:11px;text-transform:uppercase;letter-spacing:.08em;color:var(--dim);margin:4px 8px 6px;font-weight:600}
        .t{border-radius:6px}
        .t>div{display:flex;gap:4px;align-items:baseline;padding:3px 6px;border-radius:6px;cursor:pointer}
        .t>div:hover{background:var(--hover)}
        .t .n{flex:1;overflow:hidden;text-overflow:ellipsis;white-space:nowrap;font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;font-size:13px}
        .t .r{color:var(--dim);font-size:11px;white-space:nowrap}
        .t .x{border:0;background:none;padding:0 4px;color:var(--dim);font-size:10px}
        .t ul{margin:0 0 6px 20px;padding:0;list-style:none;font-size:12px;font-family:ui-monospace,monospace}
        .t li{display:flex;justify-content:space-between;gap:8px;cursor:pointer;padding:1px 4px;border-radius:4px}
        .t li:hover{background:var(--hover)}.t li span{color:var(--dim);white-space:nowrap;overflow:hidden;text-overflow:ellipsis}
        main{display:grid;grid-template-rows:auto auto 1fr;min-width:0;min-height:0}
        #ed{position:relative;padding:12px 14px 6px}
        textarea{width:100%;min-height:110px;height:150px;resize:vertical;font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;color:inherit;background:var(--bg);border:1px solid var(--line);border-radius:8px;padding:10px 12px;tab-size:4}
        textarea:focus{outline:none;border-color:var(--accent)}
        .bar{display:flex;gap:8px;align-items:center;padding:0 14px 10px;flex-wrap:wrap}
        .bar .s{color:var(--dim);font-size:12.5px}
        #err{display:none;margin:0 14px 10px;padding:10px 12px;border-radius:8px;background:var(--badbg);color:var(--bad);white-space:pre-wrap;word-break:break-word;font:13px/1.5 ui-monospace,monospace}
        #out{overflow:auto;min-height:0;border-top:1px solid var(--line);outline:none}
        table{border-collapse:separate;border-spacing:0;font-size:13px}
        th,td{padding:4px 12px;border-bottom:1px solid var(--line);text-align:left;vertical-align:top;max-width:560px;overflow:hidden;text-overflow:ellipsis;white-space:nowrap;font-variant-numeric:tabular-nums}
        th{position:sticky;top:0;background:var(--panel);font-weight:600;cursor:pointer;user-select:none}
        th small{display:block;font-weight:400;color:var(--dim);font-size:11px}
        td:first-child,th:first-child{color:var(--dim);text-align:right;padding-left:14px;cursor:default}
        td.num{text-align:right;color:var(--num)}th.num{text-align:right}td.null{color:var(--null);font-style:italic}
        td.open{white-space:pre-wrap;word-break:break-word}
        tr:hover td{background:var(--panel)}
        .hint{color:var(--dim);padding:28px 16px;max-width:640px}.hint code{font-family:ui-monospace,monospace;color:var(--text);background:var(--panel);padding:1px 5px;border-radius:4px;cursor:pointer}
        svg.chart{width:100%;height:320px;padding:10px 14px;display:block}
        svg text{fill:var(--dim);font-size:11px}
        @media(max-width:760px){body{grid-template:auto auto 1fr/1fr}header,nav,main{grid-column:1}nav{border-right:0;border-bottom:1px solid var(--line);max-height:160px}}
        </style>
        </head>

        """#

    private static let body = #"""
        <body>
        <header><b><i>≡</i> logstore</b><span class="s" id="ver" style="color:var(--dim)"></span><span class="grow"></span>
        <select id="hist" title="Queries run before" aria-label="Queries run before"><option>History</option></select>
        <button id="theme" title="Light or dark">◐</button></header>
        <nav><h2>Tables</h2><div id="tables"></div><h2 style="margin-top:14px">System</h2><div id="sys"></div></nav>
        <main>
        <div id="ed"><textarea id="q" spellcheck="false" autocapitalize="off" autocomplete="off" aria-label="SQL" placeholder="SELECT … (Ctrl-Enter runs it)"></textarea></div>
        <div><div class="bar"><button class="main" id="run">Run</button><kbd>Ctrl</kbd><kbd>Enter</kbd>
        <button id="stop" disabled>Stop</button><button id="view" disabled>Chart</button><button id="csv" disabled>CSV</button><button id="link" title="Copy the address of this query">Link</button><span class="s" id="stat" role="status"></span></div><pre id="err" role="alert"></pre></div>
        <div id="out" tabindex="0"></div>
        </main>

        """#

    private static let script = #"""
        <script>
        'use strict';
        const $=i=>document.getElementById(i),q=$('q'),out=$('out'),stat=$('stat'),err=$('err');
        const store={get(k){try{return localStorage.getItem('logstore.'+k)}catch{return null}},set(k,v){try{localStorage.setItem('logstore.'+k,v)}catch{}}};
        const dark=()=>matchMedia('(prefers-color-scheme: dark)').matches?'dark':'light';
        document.documentElement.dataset.theme=store.get('theme')||dark();
        $('theme').onclick=()=>{const t=document.documentElement.dataset.theme==='dark'?'light':'dark';document.documentElement.dataset.theme=t;store.set('theme',t)};
        const el=(n,c,t)=>{const e=document.createElement(n);if(c)e.className=c;if(t!==undefined)e.textContent=t;return e};
        const quote=n=>/^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)*$/.test(n)?n:'`'+n.replace(/[\\`]/g,'\\$&')+'`';
        const count=n=>{n=+n;return n>=1e9?(n/1e9).toFixed(1)+'G':n>=1e6?(n/1e6).toFixed(1)+'M':n>=1e4?(n/1e3).toFixed(1)+'k':n.toLocaleString('en')};
        const size=n=>{n=+n;const u=['B','KB','MB','GB','TB'];let i=0;while(n>=1024&&i<4){n/=1024;i++}return (i?n.toFixed(1):n)+' '+u[i]};
        let running=null,last=null,chart=false;

        async function ask(sql,signal,post){
          const p=new URLSearchParams({default_format:'JSONCompact',output_format_json_quote_64bit_integers:'1'});
          const r=await fetch('/?'+p,{method:'POST',body:sql,signal,headers:{'X-Logstore-Console':'1'}});
          const text=await r.text();
          if(!r.ok||r.headers.get('X-ClickHouse-Exception-Code')){const e=new Error(text.trim());e.position=r.headers.get('X-Logstore-Error-Position');throw e}
          const late=text.indexOf('\r\n__exception__\r\n');
          if(late>=0)throw new Error(text.slice(late).replace(/\r\n__exception__\r\n\S*\r\n/,'').replace(/\n\d+ \S+\r\n__exception__\r\n$/,''));
          if(!text.trim())return null;
          if(!(r.headers.get('X-ClickHouse-Format')||'').startsWith('JSONCompact'))return {text};
          return JSON.parse(text);
        }

        function fail(e){
          err.style.display='block';err.textContent=e.message;
          if(e.position!=null){
            const bytes=new TextEncoder().encode(q.value).slice(0,+e.position),at=new TextDecoder().decode(bytes).length;
            const before=q.value.slice(0,at),line=before.split('\n').length,col=at-before.lastIndexOf('\n'),text=q.value.split('\n')[line-1]||'';
            err.textContent+='\n\nline '+line+', column '+col+'\n'+text+'\n'+' '.repeat(col-1)+'^';
            const word=/^[\w$.]+/.exec(q.value.slice(at));q.focus();q.setSelectionRange(at,at+(word?word[0].length:1));
          }
        }

        async function run(){
          const sql=(q.selectionStart<q.selectionEnd&&document.activeElement===q&&err.style.display!=='block')?q.value.slice(q.selectionStart,q.selectionEnd):q.value;
          if(!sql.trim())return;
          if(running)running.abort();
          const control=running=new AbortController();
          err.style.display='none';$('run').disabled=true;$('stop').disabled=false;stat.textContent='Running…';
          history.replaceState(null,'','#'+encodeURIComponent(q.value));remember(q.value);
          const began=performance.now(),tick=setInterval(()=>stat.textContent='Running… '+((performance.now()-began)/1000).toFixed(1)+' s',100);
          try{
            const a=await ask(sql,control.signal);
            const ms=performance.now()-began;
            clearInterval(tick);
            if(!a||a.text!==undefined){last=null;out.replaceChildren(a?el('pre','hint',a.text):el('div','hint','Done.'));stat.textContent='Done in '+(ms/1000).toFixed(2)+' s'}
            else{last=a;show();const s=a.statistics||{};stat.textContent=count(a.rows)+' row'+(a.rows==1?'':'s')+(a.rows_before_limit_at_least>a.rows?' of '+count(a.rows_before_limit_at_least):'')+' in '+(s.elapsed!==undefined?s.elapsed.toFixed(3):(ms/1000).toFixed(3))+' s'+(s.rows_read?', read '+count(s.rows_read)+' rows, '+size(s.bytes_read):'')}
            if(/^\s*(create|drop|alter|insert|truncate)\b/i.test(sql))tables();
          }catch(e){clearInterval(tick);stat.textContent=e.name==='AbortError'?'Stopped.':'';if(e.name!=='AbortError')fail(e)}
          finally{clearInterval(tick);if(running===control){running=null;$('run').disabled=false;$('stop').disabled=true}$('view').disabled=$('csv').disabled=!last}
        }

        const isNum=t=>/^(Nullable\(|LowCardinality\()*(U?Int|Float|Decimal)/.test(t),isTime=t=>/Date/.test(t);
        function show(){
          if(chart&&drawChart())return;
          const t=el('table'),h=t.createTHead().insertRow();h.append(el('th','','#'));
          last.meta.forEach((m,i)=>{const th=el('th',isNum(m.type)?'num':'',m.name);th.append(el('small','',m.type));th.title='Sort';th.onclick=()=>sort(i);h.append(th)});
          const b=t.createTBody(),rows=last.data,most=5000;
          const add=(from,to)=>{for(let r=from;r<Math.min(to,rows.length);r++){const tr=b.insertRow();tr.insertCell().textContent=r+1;rows[r].forEach((v,i)=>{const td=tr.insertCell();
            if(v===null){td.className='null';td.textContent='NULL'}else{td.textContent=typeof v==='object'?JSON.stringify(v):v;if(isNum(last.meta[i].type))td.className='num'}})}};
          add(0,500);let shown=500;
          out.onscroll=()=>{if(shown<rows.length&&out.scrollTop+out.clientHeight>out.scrollHeight-400){add(shown,shown+500);shown+=500}};
          b.onclick=e=>{if(e.target.tagName==='TD'&&!getSelection().toString())e.target.classList.toggle('open')};
          out.replaceChildren(t);out.scrollTop=0;
        }
        let sorted=null;
        function sort(i){const dir=sorted===i?-1:1;sorted=dir>0?i:null;const n=isNum(last.meta[i].type);last.data.sort((a,b)=>{a=a[i];b=b[i];if(a===null)return 1;if(b===null)return -1;return dir*(n?a-b:a<b?-1:a>b?1:0)});show()}

        function drawChart(){
          const m=last.meta,x=m.findIndex(c=>isTime(c.type)),ys=m.map((c,i)=>i).filter(i=>i!==x&&isNum(m[i].type)).slice(0,8);
          if(!ys.length||last.data.length<2){chart=false;$('view').textContent='Chart';stat.textContent+=' — a chart wants a number column and two rows';return false}
          const W=1000,H=300,L=60,B=24,rows=last.data.slice(0,5000),ms=v=>Date.parse(String(v).replace(' ','T')+(/Z$/.test(v)?'':'Z'));
          const pts=rows.map((r,i)=>x>=0?ms(r[x]):i),order=pts.map((p,i)=>i).sort((a,b)=>pts[a]-pts[b]);
          const x0=Math.min(...pts),x1=Math.max(...pts)||1,all=ys.flatMap(y=>rows.map(r=>+r[y]||0)),y0=Math.min(0,...all),y1=Math.max(...all,y0+1e-9);
          const X=v=>L+(v-x0)/((x1-x0)||1)*(W-L-8),Y=v=>H-B-(v-y0)/(y1-y0)*(H-B-8),ns='http://www.w3.org/2000/svg';
          const svg=document.createElementNS(ns,'svg');svg.setAttribute('class','chart');svg.setAttribute('viewBox','0 0 '+W+' '+H);svg.setAttribute('preserveAspectRatio','none');
          const put=(n,a,t)=>{const e=document.createElementNS(ns,n);for(const k in a)e.setAttribute(k,a[k]);if(t!==undefined)e.textContent=t;svg.append(e)};
          for(let i=0;i<=4;i++){const v=y0+(y1-y0)*i/4;put('line',{x1:L,x2:W-8,y1:Y(v),y2:Y(v),stroke:'var(--line)'});put('text',{x:L-6,y:Y(v)+4,'text-anchor':'end'},v>=100?count(Math.round(v)):+v.toPrecision(3))}
          const label=v=>x>=0?new Date(v).toISOString().slice(0,19).replace('T',' '):v+1;
          put('text',{x:L,y:H-6},label(x0));put('text',{x:W-8,y:H-6,'text-anchor':'end'},label(x1));
          const colors=['var(--accent)','var(--num)','#5a9e4b','#a864c7','#c9a227','#3aa6a0','#d4588b','#888'];
          ys.forEach((y,k)=>{put('polyline',{points:order.map(i=>X(pts[i])+','+Y(+rows[i][y]||0)).join(' '),fill:'none',stroke:colors[k],'stroke-width':1.6,'vector-effect':'non-scaling-stroke'});put('text',{x:L+10+k*120,y:14,style:'fill:'+colors[k]},m[y].name.slice(0,18))});
          out.replaceChildren(svg);return true;
        }
        $('view').onclick=()=>{chart=!chart;$('view').textContent=chart?'Table':'Chart';show()};
        $('csv').onclick=()=>{const f=v=>v===null?'':/[",\n]/.test(v=typeof v==='object'?JSON.stringify(v):String(v))?'"'+v.replace(/"/g,'""')+'"':v;
          const text=[last.meta.map(m=>f(m.name)),...last.data.map(r=>r.map(f))].map(r=>r.join(',')).join('\r\n')+'\r\n';
          const a=el('a');a.href=URL.createObjectURL(new Blob([text],{type:'text/csv'}));a.download='result.csv';a.click();URL.revokeObjectURL(a.href)};
        $('link').onclick=async()=>{history.replaceState(null,'','#'+encodeURIComponent(q.value));try{await navigator.clipboard.writeText(location.href);stat.textContent='Address copied.'}catch{stat.textContent='The address bar has it.'}};
        $('run').onclick=run;$('stop').onclick=()=>running&&running.abort();
        addEventListener('keydown',e=>{if((e.ctrlKey||e.metaKey)&&e.key==='Enter'){e.preventDefault();run()}else if(e.key==='Escape'&&running)running.abort()});
        q.addEventListener('keydown',e=>{if(e.key==='Tab'&&!e.shiftKey&&!e.ctrlKey&&!e.altKey){e.preventDefault();q.setRangeText('    ',q.selectionStart,q.selectionEnd,'end')}});

        function remember(sql){const h=recall().filter(s=>s!==sql);h.unshift(sql);store.set('history',JSON.stringify(h.slice(0,50)));fillHistory()}
        function recall(){try{return JSON.parse(store.get('history'))||[]}catch{return []}}
        function fillHistory(){$('hist').replaceChildren(el('option','','History'),...recall().map(s=>{const o=el('option','',s.replace(/\s+/g,' ').slice(0,70));o.value=s;return o}))}
        $('hist').onchange=e=>{if(e.target.selectedIndex>0){q.value=e.target.value;e.target.selectedIndex=0;q.focus()}};

        function entry(name,info,sql){
          const t=el('div','t'),d=el('div'),x=el('button','x','▸');x.title='Columns';
          d.append(x,el('span','n',name),el('span','r',info));d.title=name;t.append(d);
          d.onclick=()=>{q.value=sql;run()};
          x.onclick=async e=>{e.stopPropagation();const old=t.querySelector('ul');if(old){old.remove();x.textContent='▸';return}
            try{const a=await ask('DESCRIBE TABLE '+(name.startsWith('system.')?name:quote(name)));const ul=el('ul');a.data.forEach(c=>{const li=el('li','',c[0]);li.append(el('span','',c[1]));li.title=c[0]+' '+c[1];li.onclick=()=>{q.setRangeText(quote(c[0]),q.selectionStart,q.selectionEnd,'end');q.focus()};ul.append(li)});t.append(ul);x.textContent='▾'}catch(e){fail(e)}};
          return t;
        }
        async function tables(){
          try{const a=await ask("SELECT name, total_rows, total_bytes FROM system.tables WHERE database = 'default' ORDER BY name");
            $('tables').replaceChildren(...a.data.map(r=>entry(r[0],r[1]===null?'':count(r[1]),'SELECT *\nFROM '+quote(r[0])+'\nLIMIT 100')));
            if(!a.data.length){$('tables').replaceChildren(el('div','hint','None yet.'));welcome()}
          }catch(e){$('tables').replaceChildren(el('div','hint',e.message))}
        }
        function welcome(){
          if(out.firstChild)return;const d=el('div','hint');
          d.append('There are no tables yet. Send some JSON, and the table makes itself:',el('br'),el('br'),el('code','','curl '+location.origin+"/ingest/events -d '{\"type\":\"click\",\"path\":\"/\"}'"));out.append(d);
        }
        ['system.parts','system.topics','system.query_log','system.settings','system.dead_letters'].forEach(n=>$('sys').append(entry(n,'','SELECT *\nFROM '+n+'\nLIMIT 100')));
        fillHistory();
        try{q.value=decodeURIComponent(location.hash.slice(1))}catch{}
        const fresh=!q.value;if(fresh)q.value='SELECT name, total_rows, total_bytes\nFROM system.tables\nORDER BY name';
        addEventListener('hashchange',()=>{try{q.value=decodeURIComponent(location.hash.slice(1))}catch{}});
        ask('SELECT version()').then(a=>$('ver').textContent='as ClickHouse '+a.data[0][0]).catch(()=>{});
        tables();q.focus();if(!fresh&&/^\s*(with|select|show|describe|explain)\b/i.test(q.value))run();
        </script>
        </body>
        </html>

        """#
}
