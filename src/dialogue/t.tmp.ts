import {numbersIn} from './numbers.ts'
for (const t of ['quinhentos e um','cento e um','um zero um','apto 501 bloco B','mil duzentos e três','five oh one','one hundred and one','vinte um','vinte e um','1.203','100 e 1','1, 0, 1','meia meia um','meia hora','dois mil e três','double five one','twelve oh three','101 e 102','um pacote para o 501','twenty one oh two','cento e vinte e um','five hundred one','um','501B','mil e um','zero um zero um','duzentos mil e um', 'one twenty three','a hundred and one', 'onze zero dois','12 03', 'dois mil cento e onze', 'oito meia dois','trezentos e trinta e três','double'])
 console.log(t, JSON.stringify(numbersIn(t).map(n=>[...n.readings,n.weak?'weak':''])))
console.log(JSON.stringify(numbersIn('um, five oh one','en')))
