"""How the page looks: quiet, in either light, on a phone, on a desk, and on paper."""

CSS = """
:root{color-scheme:light dark;--paper:#fdfdfb;--ink:#1c2530;--soft:#566271;--line:#dfe3e6;--tint:#f3f5f5;
--work:#4d7199;--side:#8ba6c1;--wait:#b9c0c6;--fail:#b23a3a;--frozen:#a05f00;--frozen-tint:#fbeed6;--good:#2b7052;
--s0:#2f6690;--s1:#a05f00;--s2:#2b7052;--s3:#7d4f8f;--s4:#b23a3a;--s5:#566271}
@media(prefers-color-scheme:dark){:root{--paper:#14191f;--ink:#e4e8ec;--soft:#a3aeba;--line:#2c353f;--tint:#1c232b;
--work:#7ba4d0;--side:#567798;--wait:#55606c;--fail:#e58a84;--frozen:#e2a84e;--frozen-tint:#33291a;--good:#7cc4a0;
--s0:#7ba4d0;--s1:#e2a84e;--s2:#7cc4a0;--s3:#c39bd3;--s4:#e58a84;--s5:#a3aeba}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,
"Noto Sans",Ubuntu,Cantarell,sans-serif;font-variant-numeric:tabular-nums}
main,header,footer{max-width:62rem;margin:0 auto;padding:0 1.25rem}
header{padding-top:3rem}
.kicker{margin:0;color:var(--soft);font-size:.85rem;letter-spacing:.03em}
h1{margin:.4rem 0 .6rem;font-size:clamp(1.35rem,3.6vw,2rem);line-height:1.25;font-weight:600;text-wrap:balance;
overflow-wrap:anywhere}
h1::before{content:"";display:block;width:3.2rem;height:4px;margin-bottom:1rem;border-radius:2px;background:var(--fail)}
.good h1::before{background:var(--good)}
.lead{margin:0;color:var(--soft);max-width:46rem;overflow-wrap:anywhere}
h2{margin:3.2rem 0 .6rem;padding-bottom:.35rem;border-bottom:1px solid var(--line);font-size:1.15rem;font-weight:600}
h3{margin:1.6rem 0 .4rem;font-size:1rem;font-weight:600}
p{margin:.5rem 0;max-width:46rem}
.note,figcaption,.axis,small{color:var(--soft);font-size:.85rem}
figure{margin:1rem 0 0}figcaption{margin-top:.5rem;max-width:46rem}
.key{display:flex;flex-wrap:wrap;gap:1px;margin:1.8rem 0 0;padding:0;background:var(--line);border-radius:8px;
border:1px solid var(--line);overflow:hidden}
.key div{flex:1 1 9.5rem;background:var(--paper);padding:.9rem 1rem}
.key dt{color:var(--soft);font-size:.8rem}.key dd{margin:.1rem 0 0;font-size:1.25rem;font-weight:600;line-height:1.3;
overflow-wrap:anywhere}.key dd small{display:block;font-weight:400;line-height:1.4}
table{border-collapse:collapse;width:100%;font-size:.9rem}
th,td{padding:.34rem .8rem .34rem 0;text-align:left;vertical-align:top;border-bottom:1px solid var(--line);
overflow-wrap:break-word}
.facts td,.bars th{overflow-wrap:anywhere}
th{font-weight:500}thead th{color:var(--soft);font-size:.8rem;font-weight:400;vertical-align:bottom}
.n{text-align:right;white-space:nowrap}th:last-child,td:last-child{padding-right:0}
.scroll{overflow-x:auto}
figure+table{margin-top:.9rem}.facts th{width:11rem;color:var(--soft);font-weight:400}
pre{margin:.6rem 0;padding:1rem;background:var(--tint);border-radius:8px;font:.8rem/1.5 ui-monospace,SFMono-Regular,
Menlo,Consolas,"Liberation Mono",monospace;white-space:pre-wrap;overflow-wrap:anywhere}
code{font:.86em ui-monospace,SFMono-Regular,Menlo,Consolas,"Liberation Mono",monospace;overflow-wrap:anywhere}
details{margin:.8rem 0}summary{cursor:pointer;color:var(--soft)}
.bars{table-layout:fixed}.bars th,.bars td{padding:.16rem .6rem .16rem 0;border:0;font-size:.82rem;line-height:1.35}
.bars th{width:13rem}.bars .n{width:6.2rem;color:var(--soft);padding-right:0}
.bars .phase th{padding-top:.9rem;color:var(--soft);font-size:.75rem;letter-spacing:.05em;text-transform:uppercase}
.bars td.b{padding-right:0;vertical-align:middle}
.bars .inner{padding-left:.9rem;color:var(--soft)}
svg{display:block;width:100%;overflow:visible}.bars svg{height:.8rem}
.axis{position:relative;height:1.4em;font-size:.75rem;white-space:nowrap}
.axis span{position:absolute;transform:translateX(-50%)}.axis .first{transform:none}
.axis .last{transform:translateX(-100%)}
.work{fill:var(--work);stroke:var(--work)}.side{fill:var(--side);stroke:var(--side)}
.wait{fill:var(--wait);stroke:var(--wait)}.fail{fill:var(--fail);stroke:var(--fail)}
.frozen{fill:var(--frozen);stroke:var(--frozen)}.bars rect{stroke-width:1;vector-effect:non-scaling-stroke}
.bars .tint,.plot rect{stroke:none}
.tint{fill:var(--frozen-tint)}.grid{stroke:var(--line);stroke-width:1}.cut{stroke:var(--paper);stroke-width:3}
.grid,.cut,.mark,.curve{vector-effect:non-scaling-stroke;fill:none}.mark{stroke:var(--frozen);stroke-width:1.5}
.mark.opened{stroke:var(--good)}.curve{stroke-width:1.75;stroke-linejoin:round}
.s0{stroke:var(--s0)}.s1{stroke:var(--s1)}.s2{stroke:var(--s2)}.s3{stroke:var(--s3)}.s4{stroke:var(--s4)}.s5{stroke:var(--s5)}
.plot{position:relative;padding-left:4.6rem}.plot svg{height:9rem}
.plot .y{position:absolute;left:0;width:4.1rem;text-align:right;transform:translateY(-50%);color:var(--soft);
font-size:.75rem}
.legend{display:flex;flex-wrap:wrap;gap:.3rem 1.2rem;margin:.6rem 0 0;padding:0;list-style:none;font-size:.82rem;
color:var(--soft)}.legend svg{display:inline-block;width:1.1rem;height:.7rem;margin-right:.4rem;vertical-align:-.02em}
footer{margin-top:4rem;padding-bottom:3rem;color:var(--soft);font-size:.85rem}
@media(max-width:40rem){header{padding-top:1.6rem}main,header,footer{padding-left:1rem;padding-right:1rem}
.bars th{width:9.3rem}.bars .n{width:4.4rem}.bars th,.bars td{font-size:.74rem;padding-right:.4rem}
.axis .odd{display:none}
.facts th{width:7.5rem}.key dd{font-size:1.1rem}.plot{padding-left:3.6rem}.plot .y{width:3.2rem}}
@page{size:A4;margin:16mm}
@media print{:root{--paper:#fff;--ink:#000;--soft:#444;--line:#ccc;--tint:#f4f4f4;--work:#4d7199;--side:#8ba6c1;
--wait:#b9c0c6;--fail:#b23a3a;--frozen:#a05f00;--frozen-tint:#fbeed6;--good:#2b7052;--s0:#2f6690;--s1:#a05f00}
*{-webkit-print-color-adjust:exact;print-color-adjust:exact}
body{font-size:10pt}main,header,footer{max-width:none;padding:0}header{padding-top:0}h2{margin-top:1.6rem;
break-after:avoid}h3{break-after:avoid}tr,.key,.plot,figcaption{break-inside:avoid}pre{font-size:8pt}
details::details-content{content-visibility:visible;height:auto}summary{list-style:none}}
"""
